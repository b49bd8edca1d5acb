"""An image's part in a small copy of a data set: the region to keep, its size, its annotations."""

from __future__ import annotations

import math
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from fmmp.files import atomic_path

from ..crop import MARGIN, clean_box
from .oddities import no_instance

SUFFIXES = {'jpg': ('.jpg', '.jpeg'), 'png': ('.png',), 'bmp': ('.bmp',)}
"""Of the names of each kind of file; what has another one gets the first."""

KEPT = 1.6
"""The side of what is kept around an object, in sides of its crop.

Training widens crops by up to 15 % and turns them by up to 30°: 1.15 (cos 30° + sin 30°) = 1.571.
"""


@dataclass(frozen=True)
class Plan:
    """What becomes of an image.

    Attributes:
        source: its path in the image folder.
        target: its path in the copy's.
        region: x, y, width, height of what is kept, whole pixels.
        size: its new width and height.
        whole: whether the file stays as it is.
    """

    source: str
    target: str
    region: tuple[int, int, int, int]
    size: tuple[int, int]
    whole: bool

    @property
    def scale(self) -> tuple[float, float]:
        """New pixels a pixel, along x and y."""
        return self.size[0] / self.region[2], self.size[1] / self.region[3]

    def move(self, x: float, y: float) -> list[float]:
        """Where a point lies in the copy; pixels' centres are whole numbers in both."""
        starts = zip((x, y), self.region[:2], self.scale, strict=True)
        return [round((v - start) * scale + (scale - 1) / 2, 4) for v, start, scale in starts]


def plan_image(
    name: str,
    size: tuple[int, int],
    boxes: Sequence[Sequence[float]],
    side: int,
    kind: str,
) -> Plan:
    """Plan an image: cut to what is kept around its objects, and shrunk to the smallest one's side.

    Args:
        name: its path in the image folder.
        size: its width and height.
        boxes: x, y, width, height of its objects, inside it; none: it is one object itself.
        side: the side of the smallest object's crop, in pixels.
        kind: of file to write, one of `SUFFIXES`.
    """
    objects = np.array(boxes or [(0, 0, *size)], float)
    crops = MARGIN * objects[:, 2:].max(1)
    centers = objects[:, :2] + objects[:, 2:] / 2
    reach = KEPT * crops[:, None] / 2
    low = np.floor((centers - reach).min(0)).clip(0)
    high = np.minimum(np.ceil((centers + reach).max(0)) + 1, size)
    factor = min(1, side / crops.min())
    width, height = (high - low).astype(int).tolist()
    region = (*low.astype(int).tolist(), width, height)
    whole = factor == 1 and region == (0, 0, *size)
    new = (math.ceil(width * factor), math.ceil(height * factor))
    fits = whole or name.lower().endswith(SUFFIXES[kind])
    return Plan(name, name if fits else name + SUFFIXES[kind][0], region, new, whole)


def moved_annotation(annotation: dict, image: dict, plan: Plan) -> dict:
    """An annotation in the copy; unlabelled keypoints keep their numbers, which mean no place.

    Args:
        annotation: one in which `annotation_problem` finds none.
        image: its image's entry.
        plan: what becomes of the image.
    """
    result = dict(annotation)
    scale_x, scale_y = plan.scale
    if 'bbox' in annotation:
        x, y, w, h = annotation['bbox']
        if no_instance(annotation, image) is None:
            # Reading clips a box and takes a pixel off its sides; what is left shall be the same. A
            # sliver at the border would lie beyond the last pixel's centre: it is moved inside.
            x, y, w, h = clean_box(annotation['bbox'], image['width'], image['height'])
            w, h = w * scale_x, h * scale_y
            most = plan.size[0] - 1 - w, plan.size[1] - 1 - h
            corner = [max(0, min(at)) for at in zip(plan.move(x, y), most, strict=True)]
            size = [w + 1, h + 1]
        else:
            corner, size = plan.move(x, y), [w * scale_x, h * scale_y]
        result['bbox'] = [round(value, 4) for value in (*corner, *size)]
    if annotation.get('area'):
        result['area'] = annotation['area'] * scale_x * scale_y
    values = list(annotation.get('keypoints') or ())
    for start in range(0, len(values), 3):
        if values[start + 2] > 0:
            values[start : start + 2] = plan.move(*values[start : start + 2])
    if values:
        result['keypoints'] = values
    outlines = result.pop('segmentation', None)
    if isinstance(outlines, list) and all(isinstance(x, list) for x in outlines):
        points = [zip(outline[::2], outline[1::2], strict=False) for outline in outlines]
        result['segmentation'] = [
            [v for xy in outline for v in plan.move(*xy)] for outline in points
        ]
    return result


def write_image(plan: Plan, source: Path, target: Path, quality: int) -> None:
    """Cut, shrink and encode an image, or copy its file.

    Args:
        plan: what to do.
        source: the file to read.
        target: the file to write, of the kind that its name says.
        quality: of JPEG.

    Raises:
        OSError: the source cannot be read, or the target not written.
    """
    with atomic_path(target) as scratch:
        if plan.whole:
            shutil.copyfile(source, scratch)
            return
        pixels = cv2.imread(str(source), cv2.IMREAD_COLOR)  # as training reads it, upright
        if pixels is None:
            raise OSError(f'{source}: OpenCV cannot read it')
        x, y, width, height = plan.region
        pixels = pixels[y : y + height, x : x + width]
        if plan.size != (width, height):
            pixels = cv2.resize(pixels, plan.size, interpolation=cv2.INTER_AREA)
        suffix = target.suffix.lower()
        options = [cv2.IMWRITE_JPEG_QUALITY, quality] if suffix in SUFFIXES['jpg'] else []
        scratch.write_bytes(cv2.imencode(suffix, pixels, options)[1].tobytes())
