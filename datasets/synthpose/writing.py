"""SynthPose: a procedural data set in MP-100's form, a small stand-in for real photographs.

A category is an articulated figure of its own (`figure`); an instance varies pose, scale,
rotation, light, occluders, background and distractors. Everything follows from the seed: category c
from (seed, c), its instance i from (seed, c, i), whatever the numbers of categories and instances.
"""

import contextlib
import json
import multiprocessing
import os
import shutil
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import cv2
import numpy as np

from .drawing import (
    FigurePainter,
    fill_polygon,
    light,
    paint_background,
    random_occluder,
)
from .figure import Figure, outline, random_figure, rotate
from .settings import require_settings

FORMAT_VERSION = 1


def synthpose_split(categories: int = 60) -> dict[str, list[int]]:
    """Returns the category ids of 'train', 'val' and 'test'.

    Of the first 60, 42 are for training, 6 for validation, 12 for testing; further ones are for
    training, so that any number of categories is tested on the same twelve.
    """
    ids = range(1, categories + 1)
    return {
        'train': [c for c in ids if c <= 42 or c > 60],
        'val': [c for c in ids if 42 < c <= 48],
        'test': [c for c in ids if 48 < c <= 60],
    }


class SynthPoseCategory:
    """One category of SynthPose: draws its instances.

    Args:
        seed: The data set's seed.
        category_id: The category's id, from 1.
    """

    def __init__(self, seed: int, category_id: int) -> None:
        self.seed, self.category_id = seed, category_id
        rng = np.random.default_rng((FORMAT_VERSION, seed, category_id))
        self.figure = random_figure(rng)
        self._painter = FigurePainter(self.figure, rng)

    @property
    def name(self) -> str:
        """The category's name and image folder."""
        return f'figure_{self.category_id:03d}'

    def instance(self, index: int, size: int = 256) -> tuple[np.ndarray, dict]:
        """Draws an instance.

        Args:
            index: The instance's number in its category.
            size: Width and height of the image in pixels.

        Returns:
            The (size, size, 3) uint8 RGB image, and its annotation without ids: `bbox`, `area`,
            `keypoints`, `num_keypoints`, `iscrowd`.
        """
        rng = np.random.default_rng((FORMAT_VERSION, self.seed, self.category_id, index + 1))
        points, scale = place_figure(self.figure, sample_pose(self.figure, rng), rng, size)
        occluders = _sample_occluders(points, scale, rng)
        annotation = _annotate(self.figure, points, scale, occluders, rng, size)

        image = paint_background(rng, size)
        self._paint_distractors(image, scale, rng)
        self._painter.paint(image, points, scale, _sample_tints(self.figure, rng))
        for occluder in occluders:
            fill_polygon(image, occluder, rng.uniform(20, 235, 3))
        return light(rng, image), annotation

    def _paint_distractors(self, image: np.ndarray, scale: float, rng: np.random.Generator) -> None:
        """Scatters up to two parts that look like the figure's, in colours a little off."""
        size = len(image)
        for _ in range(rng.integers(0, 3)):
            index = int(rng.integers(len(self.figure.parts)))
            points = rotate(self.figure.rest, rng.uniform(-np.pi, np.pi)) * scale
            middle = points[list(self.figure.parts[index].keypoints)].mean(0)
            points += rng.uniform(0, size, 2) - middle
            tint = rng.uniform(0.5, 1.1, 3)
            self._painter.paint_part(image, index, points, scale, tint.astype(np.float32))


def sample_pose(figure: Figure, rng: np.random.Generator) -> np.ndarray:
    """Draws a pose: joint angles, proportions, foreshortening and a rotation within ±45°.

    Returns:
        (K, 2) keypoints in figure units.
    """
    angles = figure.limit * np.clip(rng.normal(0, 0.7, len(figure.limit)), -1, 1)
    stretch = np.clip(rng.normal(1, 0.08, len(figure.rest)), 0.8, 1.2)
    points = figure.pose(angles, stretch)
    tilt, squeeze = rng.uniform(0, np.pi), rng.uniform(0.65, 1.0)
    points = rotate(rotate(points, tilt) * [1, squeeze], -tilt)
    turn = np.clip(rng.normal(0, 30), -45, 45)
    return rotate(points, np.radians(turn))


def place_figure(
    figure: Figure, points: np.ndarray, rng: np.random.Generator, size: int
) -> tuple[np.ndarray, float]:
    """Scales and moves a pose into the image; one in eight reaches over the border.

    Returns:
        The (K, 2) keypoints in pixels and the scale, pixels a figure unit.
    """
    extent = np.concatenate([outline(part, points) for part in figure.parts])
    low, high = extent.min(0), extent.max(0)
    scale = size * rng.uniform(0.45, 0.92) / (high - low).max()
    overlap = scale * rng.uniform(0, 0.15) * (high - low) * (rng.random() < 0.125)
    room = size - scale * (high - low) + 2 * overlap
    return scale * (points - low) - overlap + rng.uniform(0, 1, 2) * room, scale


def _sample_tints(figure: Figure, rng: np.random.Generator) -> np.ndarray:
    """(P, 3) factors on the parts' colours: the individual's and each part's own."""
    individual = rng.uniform(0.85, 1.15, 3) * rng.uniform(0.8, 1.1)
    return (individual * rng.uniform(0.9, 1.1, (len(figure.parts), 1))).astype(np.float32)


def _sample_occluders(
    points: np.ndarray, scale: float, rng: np.random.Generator
) -> list[np.ndarray]:
    """Up to two polygons around keypoints."""
    return [
        random_occluder(
            rng,
            points[rng.integers(len(points))] + rng.normal(0, 0.05 * scale, 2),
            scale * rng.uniform(0.05, 0.11),
        )
        for _ in range(rng.choice(3, p=[0.55, 0.33, 0.12]))
    ]


def _annotate(
    figure: Figure,
    points: np.ndarray,
    scale: float,
    occluders: list[np.ndarray],
    rng: np.random.Generator,
    size: int,
) -> dict:
    """Annotates a placed figure from its geometry alone, so that no pixel can change it.

    Visibility is 1 behind an occluder or another part of the figure, and 0 outside the image, for
    a quarter of the occluded and for a few that the annotator forgot.
    """
    shapes = [outline(part, points, scale) for part in figure.parts]
    top = np.zeros(len(points), int)  # the last of the parts that a keypoint belongs to
    for order, part in enumerate(figure.parts):
        top[list(part.keypoints)] = order
    covered = _inside(points, shapes) & (np.arange(len(shapes))[:, None] > top)
    occluded = covered.any(0) | _inside(points, occluders).any(0)
    outside = ((points < 0) | (points > size - 1)).any(1)
    chance = rng.random(len(points))
    forgotten = np.where(occluded, chance < 0.25, chance < 0.02)
    if (~outside & ~forgotten).sum() < 3:
        forgotten[:] = False
    visibility = np.where(outside | forgotten, 0, np.where(occluded, 1, 2))

    extent = np.concatenate(shapes)
    seen = extent[~_inside(extent, occluders).any(0)].clip(0, size - 1)
    low, high = seen.min(0), seen.max(0)
    slack = rng.uniform(0, 0.04, (2, 2)) * (high - low).max()
    x, y = (low - slack[0]).clip(0, size - 1).round(1)
    width, height = ((high + slack[1]).clip(0, size - 1) - (x, y)).round(1)
    keypoints = np.where(visibility[:, None] > 0, points.round(2), 0)
    return {
        'bbox': [float(value) for value in (x, y, width, height)],
        'area': round(float(width * height), 1),
        'keypoints': [
            value
            for (kx, ky), v in zip(keypoints.tolist(), visibility.tolist(), strict=True)
            for value in (kx, ky, v)
        ],
        'num_keypoints': int((visibility > 0).sum()),
        'iscrowd': 0,
    }


def _inside(points: np.ndarray, polygons: list[np.ndarray]) -> np.ndarray:
    """(P, N) whether each of N points lies in each of P polygons, by the even-odd rule."""
    corners = max((len(polygon) for polygon in polygons), default=1)
    start = np.zeros((len(polygons), corners, 2))
    for row, polygon in zip(start, polygons, strict=True):
        row[: len(polygon)], row[len(polygon) :] = polygon, polygon[-1]
    end = np.roll(start, -1, 1)
    x, y = points.T[:, None, :, None]
    (x1, y1), (x2, y2) = start.transpose(2, 0, 1)[:, :, None], end.transpose(2, 0, 1)[:, :, None]
    with np.errstate(divide='ignore', invalid='ignore'):
        crossing = ((y1 > y) != (y2 > y)) & (x < x1 + (x2 - x1) * (y - y1) / (y2 - y1))
    return crossing.sum(-1) % 2 == 1


def write_synthpose(
    out_dir: str | os.PathLike,
    seed: int = 0,
    categories: int = 60,
    instances: int = 40,
    size: int = 256,
    workers: int = 1,
    progress: Callable[[int, int], None] | None = None,
) -> bool:
    """Writes SynthPose: `unified.json` and `images/<category>/`, whole or not at all.

    `unified.json`'s `info` holds the settings and the category ids of the split.

    Args:
        out_dir: Folder to make.
        seed: Everything follows from it.
        categories: Number of categories, see `synthpose_split`.
        instances: Instances, and so images, of each category.
        size: Width and height of the images in pixels.
        workers: Processes that draw; the result does not depend on it.
        progress: Called with the numbers of categories drawn and to draw.

    Returns:
        False if the folder holds this very data set already, else True.

    Raises:
        InputError: A setting is out of range.
        FileExistsError: The folder holds something else.
    """
    require_settings('SynthPose', seed, categories, instances, size, workers)
    out_dir = Path(out_dir).absolute()
    info = {
        'description': 'SynthPose: articulated figures for category-agnostic pose estimation',
        'version': FORMAT_VERSION,
        'seed': seed,
        'instances': instances,
        'size': size,
        'split': synthpose_split(categories),
    }
    if _holds(out_dir, info):
        return False

    out_dir.parent.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix=f'.{out_dir.name}.', dir=out_dir.parent))
    try:
        draw = partial(_write_category, scratch / 'images', seed, instances, size)
        content = {'info': info, 'images': [], 'annotations': [], 'categories': []}
        with contextlib.ExitStack() as stack:
            imap = map
            if workers > 1:
                spawn = multiprocessing.get_context('spawn')
                pool = spawn.Pool(workers, initializer=cv2.setNumThreads, initargs=(1,))
                imap = stack.enter_context(pool).imap
            drawn = imap(draw, range(1, categories + 1))
            for done, (category, images, annotations) in enumerate(drawn, 1):
                content['categories'].append(category)
                content['images'] += images
                content['annotations'] += annotations
                if progress:
                    progress(done, categories)
        (scratch / 'unified.json').write_text(json.dumps(content))
        scratch.chmod(0o755)
        os.replace(scratch, out_dir)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return True


def _holds(out_dir: Path, info: dict) -> bool:
    """Whether the folder holds the data set that `info` describes; an empty one may be filled."""
    if not out_dir.exists() or (out_dir.is_dir() and not any(out_dir.iterdir())):
        return False
    try:
        present = json.loads((out_dir / 'unified.json').read_text())['info']
    except (OSError, ValueError, KeyError):
        raise FileExistsError(
            f'{out_dir} exists and is no SynthPose data set: name a folder that does not exist'
        ) from None
    if present != info:
        differing = sorted(key for key in info if present.get(key) != info[key])
        raise FileExistsError(
            f'{out_dir} holds SynthPose with other settings ({", ".join(differing)}): '
            'name another folder, or delete this one'
        )
    return True


def _write_category(
    folder: Path, seed: int, instances: int, size: int, category_id: int
) -> tuple[dict, list[dict], list[dict]]:
    """Writes a category's images; returns its entry, its images' and its annotations'."""
    category = SynthPoseCategory(seed, category_id)
    (folder / category.name).mkdir(parents=True)
    images, annotations = [], []
    for index in range(instances):
        number = (category_id - 1) * instances + index + 1
        name = f'{category.name}/{index:04d}.jpg'
        image, annotation = category.instance(index, size)
        ok, encoded = cv2.imencode(
            '.jpg', np.ascontiguousarray(image[..., ::-1]), [cv2.IMWRITE_JPEG_QUALITY, 90]
        )
        if not ok:
            raise OSError(f'OpenCV could not encode {name}')
        (folder / name).write_bytes(encoded.tobytes())
        images.append({'id': number, 'file_name': name, 'width': size, 'height': size})
        annotations.append(
            {'id': number, 'image_id': number, 'category_id': category_id, **annotation}
        )
    figure = category.figure
    entry = {
        'id': category_id,
        'name': category.name,
        'supercategory': figure.body,
        'keypoints': figure.names,
        'skeleton': [list(link) for link in figure.skeleton],
    }
    return entry, images, annotations
