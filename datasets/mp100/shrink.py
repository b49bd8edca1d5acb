"""A small copy of a data set: what of its images episodes look at, no larger than crops need it.

First the plan, image by image: the region to keep and its new size. Then it is carried out, and the
annotations follow.
"""

from __future__ import annotations

import math
import os
import shutil
from collections import defaultdict
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from fmmp.errors import InputError
from fmmp.files import atomic_path, remove_unfinished, write_json

from ..annotations import Instance, load_annotations
from ..coco import read_coco, read_json, stays_inside
from ..crop import MARGIN, clean_box
from ..episodes import evaluation_pairs
from ..metrics import copy_support, evaluate_pairs, mean_metrics
from .images import Progress, examine_image
from .oddities import no_instance

KEPT = 1.6
"""The side of what is kept around an object, in sides of its crop.

Training widens crops by up to 15 % and turns them by up to 30°: 1.15 (cos 30° + sin 30°) = 1.571.
"""
NUM_QUERIES, NUM_EPISODES = 15, 20  # of the pairs on which copying is scored
SETTINGS, ANNOTATIONS, IMAGES = 'shrunk.json', 'annotations/unified.json', 'images'


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


def shrink(
    ann_file: str | Path,
    image_folder: str | Path,
    out: str | Path,
    side: int = 320,
    quality: int | None = 95,
    workers: int | None = None,
    progress: Progress | None = None,
    dry_run: bool = False,
) -> dict:
    """Write a copy of a data set whose objects' crops are ``side`` pixels wide, or less.

    Images are cut to what crops of their objects can show in training, and shrunk by averaging
    until the smallest object's crop is of that side; none is enlarged. An image of which nothing is
    left out is copied as it is. What is done already is not done again; the annotation file comes
    last.

    Args:
        ann_file: unified annotation file.
        image_folder: the folder that its paths start from.
        out: the copy's folder, with ``images/``, ``annotations/unified.json`` and ``shrunk.json``,
            the settings.
        side: the crops' side before augmentation, in pixels; training enlarges nothing from
            ``image_size`` / 0.85 on.
        quality: of JPEG, up to 100; None writes PNG, without loss.
        workers: threads; as many as there are processors unless given.
        progress: called with the numbers of images done and to be done.
        dry_run: report the plan, write nothing.

    Returns:
        The report: numbers of images, pixels and bytes, and what copying the support scores before
        and after.

    Raises:
        FileNotFoundError: the annotation file or the folder is missing.
        InputError: the annotation file cannot be used, images are broken, or the folder holds a
            copy of other settings.
    """
    if side < 1 or (quality is not None and not 1 <= quality <= 100):
        raise InputError(f'side {side}, quality {quality}: give at least 1, and at most 100')
    image_folder, out = Path(image_folder), Path(out)
    if not image_folder.is_dir():
        raise FileNotFoundError(f'{image_folder}: there is no such image folder')
    if (out / IMAGES).resolve() == image_folder.resolve():
        raise InputError(f'{out}: its images are those to be shrunk: name another folder')
    content = read_coco(ann_file)
    plans = _plan(content, side, quality)
    if not dry_run:
        _require_same_settings(out, {'side': side, 'quality': quality})
        _carry_out(plans, content, image_folder, out / IMAGES, quality, workers, progress)
    shrunk = _move_annotations(content, plans)
    if not dry_run:
        write_json(shrunk, out / ANNOTATIONS)
    report = {
        'file': str(ann_file),
        'out': str(out),
        'side': side,
        'quality': quality,
        'images': len(plans),
        'as_they_are': sum(plan.whole for plan in plans.values()),
        'shrunk': sum(min(plan.scale) < 1 for plan in plans.values()),
        'pixels': [
            sum(image['width'] * image['height'] for image in _one_a_file(content)),
            sum(plan.size[0] * plan.size[1] for plan in plans.values()),
        ],
    }
    if not dry_run:
        files = [(image_folder / p.source, out / IMAGES / p.target) for p in plans.values()]
        report['bytes'] = [sum(f.stat().st_size for f in part) for part in zip(*files, strict=True)]
        report['copy_support'] = [_score_copying(file) for file in (ann_file, out / ANNOTATIONS)]
    return report


def _one_a_file(content: dict) -> list[dict]:
    return [*{image['file_name']: image for image in content['images']}.values()]


def _plan(content: dict, side: int, quality: int | None) -> dict[str, Plan]:
    """Plan every image, by its path."""
    images = {image['id']: image for image in content['images']}
    boxes = defaultdict(list)
    for annotation in content['annotations']:
        image = images.get(annotation['image_id'])
        if image and no_instance(annotation, image) is None:
            size = image['width'], image['height']
            boxes[image['file_name']].append(clean_box(annotation['bbox'], *size))
    plans = {}
    for image in _one_a_file(content):
        name, size = image['file_name'], (int(image['width']), int(image['height']))
        if not stays_inside(name):
            raise InputError(f'image {image["id"]} has the file_name {name!r}: unify the file')
        plans[name] = _plan_image(name, size, boxes[name], side, quality)
    if len({plan.target for plan in plans.values()}) < len(plans):
        raise InputError('two images would have one name in the copy, such as a and a.jpg')
    return plans


def _plan_image(
    name: str,
    size: tuple[int, int],
    boxes: Sequence[Sequence[float]],
    side: int,
    quality: int | None,
) -> Plan:
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
    suffixes = ('.png',) if quality is None else ('.jpg', '.jpeg')
    if not whole and not name.lower().endswith(suffixes):
        return Plan(name, name + suffixes[0], region, new, whole)
    return Plan(name, name, region, new, whole)


def _require_same_settings(out: Path, settings: dict) -> None:
    file = out / SETTINGS
    if file.exists():
        if (there := read_json(file, 'record of the settings')) != settings:
            raise InputError(f'{out} holds a copy made with {there}: name another folder')
    elif out.exists() and any(out.iterdir()):
        raise InputError(f'{out} holds something else: name a new folder')
    else:
        write_json(settings, file)


def _carry_out(
    plans: dict[str, Plan],
    content: dict,
    source: Path,
    target: Path,
    quality: int | None,
    workers: int | None,
    progress: Progress | None,
) -> None:
    """Write the copy's images, several at once."""
    entries = {image['file_name']: image for image in content['images']}
    for folder in {(target / plan.target).parent for plan in plans.values()}:
        remove_unfinished(folder)

    def do(plan: Plan) -> str | None:
        if _is_done(plan, source / plan.source, target / plan.target):
            return None
        if problem := examine_image(entries[plan.source], source):
            return f'{plan.source} is {problem[0]}'
        write_image(plan, source / plan.source, target / plan.target, quality)
        return None

    problems = []
    with ThreadPoolExecutor(workers or os.cpu_count()) as pool:  # OpenCV releases the lock
        for done, problem in enumerate(pool.map(do, plans.values()), 1):
            problems += [problem] if problem else []
            if progress:
                progress(done, len(plans))
    if problems:
        raise InputError(
            f'{len(problems)} images cannot be shrunk, the first: {problems[0]}: see `mp100.py '
            'check`, whose --write-usable writes a file of the others; what is done is kept'
        )


def _is_done(plan: Plan, source: Path, target: Path) -> bool:
    """Whether a target is there, of the planned size, and its source not newer."""
    try:
        if target.stat().st_mtime < source.stat().st_mtime:
            return False
        if plan.whole:
            return target.stat().st_size == source.stat().st_size
        with Image.open(target) as image:
            return image.size == plan.size
    except OSError:
        return False


def write_image(plan: Plan, source: Path, target: Path, quality: int | None) -> None:
    """Cut, shrink and encode an image, or copy its file.

    Args:
        plan: what to do.
        source: the file to read.
        target: the file to write.
        quality: of JPEG; None for PNG.

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
        kind, options = '.png', []
        if quality is not None:
            kind, options = '.jpg', [cv2.IMWRITE_JPEG_QUALITY, quality]
        scratch.write_bytes(cv2.imencode(kind, pixels, options)[1].tobytes())


def _move_annotations(content: dict, plans: dict[str, Plan]) -> dict:
    """The content of the copy's annotation file."""
    images = {image['id']: image for image in content['images']}
    moved = []
    for annotation in content['annotations']:
        image = images.get(annotation['image_id'])
        plan = image and plans[image['file_name']]
        unchanged = plan is None or plan.whole
        moved.append(annotation if unchanged else _moved(annotation, image, plan))
    entries = []
    for image in content['images']:
        plan = plans[image['file_name']]
        width, height = plan.size
        entries.append({**image, 'file_name': plan.target, 'width': width, 'height': height})
    return {**content, 'images': entries, 'annotations': moved}


def _moved(annotation: dict, image: dict, plan: Plan) -> dict:
    """An annotation in the copy; unlabelled keypoints keep their numbers, which mean no place."""
    result = dict(annotation)
    scale_x, scale_y = plan.scale
    if 'bbox' in annotation:
        x, y, w, h = annotation['bbox']
        if no_instance(annotation, image) is None:
            # Reading clips a box and takes a pixel off its sides; what is left shall be the same.
            x, y, w, h = clean_box(annotation['bbox'], image['width'], image['height'])
            size = [w * scale_x + 1, h * scale_y + 1]
        else:
            size = [w * scale_x, h * scale_y]
        result['bbox'] = [*plan.move(x, y), *(round(value, 4) for value in size)]
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


def _score_copying(ann_file: str | Path) -> dict[str, float]:
    """What copying one support scores, over the categories with instances for an episode."""
    categories, instances = load_annotations(ann_file, None, None, True, None)
    numbers = _by_category(instances)
    enough = [id_ for id_ in categories if len(numbers[id_]) > NUM_QUERIES]
    if not enough:
        return {}
    pairs = evaluation_pairs(numbers, enough, 1, NUM_QUERIES, NUM_EPISODES)
    return mean_metrics(evaluate_pairs(pairs, copy_support(pairs, instances), instances))


def _by_category(instances: dict[int, Instance]) -> dict[int, list[int]]:
    numbers = defaultdict(list)
    for instance in instances.values():
        numbers[instance.category_id].append(instance.index)
    return numbers


def format_report(report: dict) -> str:
    """Say in lines what `shrink` made of the images."""
    before, after = report['pixels']
    cut = report['images'] - report['as_they_are'] - report['shrunk']
    lines = [
        f'{report["images"]} images: {report["shrunk"]} shrunk, {cut} only cut, '
        f'{report["as_they_are"]} copied as they are',
        f'pixels: {before / 1e6:.1f} million, then {after / 1e6:.1f}, {before / after:.1f} times fewer',
    ]
    if 'bytes' in report:
        before, after = report['bytes']
        lines.append(f'bytes: {before / 1e6:.1f} MB, then {after / 1e6:.1f} MB')
        scores = [score.get('mPCK') for score in report['copy_support']]
        if None not in scores:
            lines.append(
                "copying the support's mPCK: {:.3f}, then {:.3f}".format(*(100 * s for s in scores))
            )
    return '\n'.join(lines)
