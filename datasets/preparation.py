"""From an image, a box and keypoints to a model's input, in data sets and in inference alike."""

from collections.abc import Callable, Sequence
from itertools import dropwhile

import numpy as np
import torch
from mmpose.datasets.pipelines import Compose

from . import transforms  # noqa: F401 (registers what pipelines name)
from .crop import center_and_scale
from .padding import Drawn, place_padding
from .settings import DataSettings
from .structure import nearest_keypoints, padded_links, shuffled_keypoints


class Preparation:
    """Crops and normalises images, and puts those of an episode together.

    Args:
        pipeline: transforms or their configs, from reading the image to the normalised tensor.
        settings: sizes and padding.
    """

    def __init__(self, pipeline: Sequence[dict | Callable], settings: DataSettings) -> None:
        self.settings = settings
        self.read_and_prepare = Compose(pipeline)
        self.prepare = Compose(list(dropwhile(_reads, pipeline)))  # what has been read

    def __call__(
        self,
        image: str | np.ndarray,
        box: Sequence[float],
        keypoints: np.ndarray,
        visible: np.ndarray,
    ) -> dict:
        """Prepare an image.

        Args:
            image: its file, or its pixels (H, W, 3) uint8, RGB.
            box: x, y, width, height in pixels, inside the image.
            keypoints: (K_c, 2) in pixels.
            visible: (K_c,) bool.

        Returns:
            ``img`` (3, H, W), ``keypoints`` in crop sides and ``visible`` in the crop.

        Raises:
            OSError: the file is missing or no readable image.
        """
        center, scale = center_and_scale(box)
        view = {
            'image_size': self.settings.image_size,
            'center': center,
            'scale': scale,
            'keypoints': np.asarray(keypoints, np.float32),
            'visible': np.asarray(visible, bool),
        }
        if not isinstance(image, str):
            return self.prepare({**view, 'img': image})
        view['image_file'] = image
        try:
            return self.read_and_prepare(view)
        except Exception as error:
            if 'img' in view:  # it was read: something else went wrong
                raise
            raise OSError(f'{image} is missing or no readable image') from error

    def episode(
        self, views: Sequence[dict], skeleton: Sequence[Sequence[int]], drawn: Drawn | None = None
    ) -> dict[str, torch.Tensor]:
        """Pad an episode's keypoints and find their structural references.

        Args:
            views: of each image, as prepared.
            skeleton: the category's links.
            drawn: what the padding has drawn for the episode.

        Returns:
            ``imgs``, ``points``, ``visible``, ``num_keypoints`` and, if the settings ask for
            references or links, ``reference_index`` and ``skeleton``, of one episode, as
            `fmmp.models.Episode` has them.

        Raises:
            InputError: the settings ask for fewer links than there are.
        """
        settings, count = self.settings, len(views[0]['keypoints'])
        padding = place_padding(
            settings.padding_method, count, skeleton, settings.num_keypoints, drawn or {}
        )
        numbers = np.arange(settings.num_keypoints)
        if settings.links == 'random':
            numbers[:count] = shuffled_keypoints(count, skeleton)
        points, visible, references = [], [], []
        known = {}  # references by visibility; the rest that they depend on is the episode's
        for view in views:
            padded, shown = padding.pad(view['keypoints'], view['visible'])
            points.append(padded)
            visible.append(shown)
            pattern = shown.tobytes()
            if settings.num_references and pattern not in known:
                links = numbers[np.reshape(padding.chain(shown), (-1, 2)).astype(int)]
                known[pattern] = nearest_keypoints(shown, links, settings.num_references)
            references.append(known.get(pattern))
        tensors = {
            'imgs': torch.stack([view['img'] for view in views]),
            'points': torch.from_numpy(np.stack(points)),
            'visible': torch.from_numpy(np.stack(visible)),
            'num_keypoints': torch.tensor(count),
        }
        if settings.num_references:
            tensors['reference_index'] = torch.from_numpy(np.stack(references))
        if settings.num_links:
            tensors['skeleton'] = torch.from_numpy(padded_links(skeleton, settings.num_links))
        return tensors


def _reads(step: dict | Callable) -> bool:
    """Whether a step reads the image; MMPose's that do are named Load…."""
    return isinstance(step, dict) and str(step['type']).startswith('Load')
