"""Find keypoints with exported networks; needs numpy, onnxruntime and OpenCV alone.

    python run_onnx.py --support cat.jpg --keypoints cat.json --queries lion.jpg tiger.jpg

prints a JSON object of each query's keypoints in pixels. ``cat.json`` is an object with
``keypoints``, [[x, y], …] with null for one out of sight, or COCO's [x, y, v, …]; ``skeleton``,
links [[i, j], …] counted from 0, if the method reads any; and, if wanted, ``bbox`` [x, y, width,
height]. Several supports: several files behind --support, as many behind --keypoints. In Python:

    from run_onnx import Estimator, read_image, read_support

    estimator = Estimator('exported', [read_support('cat.jpg', 'cat.json')])
    layers = estimator([read_image('lion.jpg')])  # (Q, L, K_c, 2); the last layer is the answer
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import onnxruntime

from fmmp.datasets.crop import (
    center_and_scale,
    clean_box,
    crop_image,
    crop_keypoints,
    crop_transform,
    to_image,
)
from fmmp.datasets.padding import PADDINGS, place_padding
from fmmp.datasets.structure import nearest_keypoints, padded_links


@dataclass(frozen=True, eq=False)
class Support:
    """An annotated image.

    Attributes:
        image: (H, W, 3) uint8, RGB.
        keypoints: (K_c, 2) pixels.
        visible: (K_c,) bool, which keypoints are annotated.
        skeleton: links, pairs of keypoints counted from 0.
        box: x, y, width, height in pixels of the object; None for the whole image.
    """

    image: np.ndarray
    keypoints: np.ndarray
    visible: np.ndarray
    skeleton: Sequence[Sequence[int]] = ()
    box: Sequence[float] | None = None


class Estimator:
    """Encodes supports once, and finds their keypoints in any number of images.

    Where an image is looked through whole, the supports are shown whole, too.

    Args:
        folder: of the export.
        supports: S annotated images of one category.
        batch_size: images that pass the network together.
        options: of onnxruntime's sessions, such as the number of threads.
    """

    def __init__(
        self,
        folder: str | Path,
        supports: Sequence[Support],
        batch_size: int = 16,
        options: onnxruntime.SessionOptions | None = None,
    ) -> None:
        folder = Path(folder)
        self.settings = json.loads((folder / 'model.json').read_text(encoding='utf-8'))
        self.batch_size = batch_size
        self.count = len(supports[0].keypoints)
        self.query_network = _session(folder / 'query.onnx', options)
        self.supports = supports
        self.support_network = _session(folder / 'support.onnx', options)
        self._states: dict[bool, dict[str, np.ndarray]] = {}

    def __call__(
        self, images: Sequence[np.ndarray], boxes: Sequence[Sequence[float] | None] | None = None
    ) -> np.ndarray:
        """Find the keypoints.

        Args:
            images: Q images (H, W, 3) uint8, RGB.
            boxes: the objects in them, x, y, width, height in pixels; None for the whole image.

        Returns:
            (Q, L, K_c, 2) pixels, each layer's keypoints; the last layer's are the answer.
        """
        crops, places = [], []
        boxes = [None] * len(images) if boxes is None else boxes
        for image, box in zip(images, boxes, strict=True):
            places.append(center_and_scale(_inside(box, image)))
            crops.append(self._normalized(image, crop_transform(*places[-1], self._size)))
        found = {}
        for whole in (False, True):
            chosen = [n for n, box in enumerate(boxes) if (box is None) is whole]
            for start in range(0, len(chosen), self.batch_size):
                numbers = chosen[start : start + self.batch_size]
                inputs = {'imgs': np.stack([crops[n] for n in numbers]), **self.state(whole)}
                points = _run(self.query_network, inputs)['points'][:, :, : self.count]
                found.update(zip(numbers, points.astype(np.float64), strict=True))
        return np.stack([to_image(found[n], *place) for n, place in enumerate(places)])

    def state(self, whole: bool) -> dict[str, np.ndarray]:
        """The supports, encoded at the first call: whole images, or cut out by their boxes."""
        if whole not in self._states:
            self._states[whole] = _run(self.support_network, self._encoded(self.supports, whole))
        return self._states[whole]

    @property
    def _size(self) -> int:
        return self.settings['image_size']

    def _encoded(self, supports: Sequence[Support], whole: bool) -> dict[str, np.ndarray]:
        """The support network's inputs, by name."""
        method = dict(self.settings['padding'])
        padding = PADDINGS[method.pop('type')](**method)
        links, total = supports[0].skeleton, self.settings['num_keypoints']
        placement = place_padding(padding, self.count, links, total, {})
        inputs = {'imgs': [], 'points': [], 'visible': [], 'reference_index': []}
        for support in supports:
            box = None if whole else support.box
            place = center_and_scale(_inside(box, support.image))
            transform = crop_transform(*place, self._size)
            inputs['imgs'].append(self._normalized(support.image, transform))
            own = crop_keypoints(support.keypoints, support.visible, transform, self._size)
            points, visible = placement.pad(*own)
            inputs['points'].append(points)
            inputs['visible'].append(visible)
            if self.settings['num_references']:
                chained, count = placement.chain(visible), self.settings['num_references']
                inputs['reference_index'].append(nearest_keypoints(visible, chained, count))
        arrays = {name: np.stack(values) for name, values in inputs.items() if values}
        if self.settings['num_links']:
            arrays['skeleton'] = padded_links(links, self.settings['num_links'])
        return arrays

    def _normalized(self, image: np.ndarray, transform: np.ndarray) -> np.ndarray:
        """The crop (3, H, W), normalised."""
        crop = crop_image(image, transform, self._size).astype(np.float32) / 255
        mean, std = (np.array(self.settings[name], np.float32) for name in ('mean', 'std'))
        return ((crop - mean) / std).transpose(2, 0, 1)


def read_image(path: str | Path) -> np.ndarray:
    """Read an image (H, W, 3) uint8, RGB, turned upright."""
    image = cv2.imread(str(path))
    if image is None:
        raise OSError(f'{path}: missing, or not a readable image')
    return cv2.cvtColor(image, cv2.COLOR_BGR2RGB)


def read_support(image: str | Path, keypoint_file: str | Path) -> Support:
    """Read an annotated image and its keypoint file."""
    content = json.loads(Path(keypoint_file).read_text(encoding='utf-8'))
    values = content['keypoints']
    if any(value is None or np.ndim(value) for value in values):
        visible = np.array([value is not None for value in values])
        keypoints = np.array([value or (0, 0) for value in values], float)
    else:
        table = np.reshape(values, (-1, 3)).astype(float)
        keypoints, visible = table[:, :2], table[:, 2] > 0
    skeleton = content.get('skeleton') or ()
    return Support(read_image(image), keypoints, visible, skeleton, content.get('bbox'))


def _inside(box: Sequence[float] | None, image: np.ndarray) -> Sequence[float]:
    """A box clipped to its image; the whole image without one."""
    height, width = image.shape[:2]
    inside = clean_box((0, 0, width, height) if box is None else box, width, height)
    if inside is None:
        raise ValueError(f'box {box} has nothing inside its image of {width} × {height} pixels')
    return inside


def _session(
    path: Path, options: onnxruntime.SessionOptions | None
) -> onnxruntime.InferenceSession:
    if options is None:
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3  # errors alone: not what it could not fold
    return onnxruntime.InferenceSession(path, options, providers=['CPUExecutionProvider'])


def _run(
    network: onnxruntime.InferenceSession, inputs: dict[str, np.ndarray]
) -> dict[str, np.ndarray]:
    """A network's outputs, by name."""
    feeds = {one.name: inputs[one.name] for one in network.get_inputs()}
    names = [one.name for one in network.get_outputs()]
    return dict(zip(names, network.run(names, feeds), strict=True))


def main() -> None:
    """Find the keypoints, and print them: null where no support shows one."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('--support', required=True, nargs='+', help='annotated images')
    parser.add_argument('--keypoints', required=True, nargs='+', help='their JSON files')
    parser.add_argument('--queries', required=True, nargs='+', help='images to find them in')
    parser.add_argument(
        '--model', default=Path(__file__).parent, help="folder of the export [this script's]"
    )
    args = parser.parse_args()
    if len(args.support) != len(args.keypoints):
        parser.error('--keypoints: give a file for each picture of --support')
    supports = [*map(read_support, args.support, args.keypoints)]
    shown = np.any([support.visible for support in supports], axis=0)
    found = Estimator(args.model, supports)([read_image(path) for path in args.queries])
    answers = {
        path: [point if seen else None for point, seen in zip(points, shown, strict=True)]
        for path, points in zip(args.queries, found[:, -1].tolist(), strict=True)
    }
    print(json.dumps(answers))


if __name__ == '__main__':
    main()
