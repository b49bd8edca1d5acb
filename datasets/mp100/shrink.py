"""A small copy of a data set: what of its images episodes look at, no larger than crops need it.

First the plan, image by image: the region to keep and its new size. Then it is carried out, and the
annotations follow.
"""

from __future__ import annotations

import os
import zlib
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from PIL import Image

from fmmp.errors import InputError
from fmmp.files import remove_unfinished, write_json

from ..annotations import Instance, load_annotations
from ..coco import read_coco, read_json, stays_inside
from ..crop import clean_box
from ..episodes import evaluation_pairs
from ..metrics import copy_support, evaluate_pairs, mean_metrics
from .images import Progress, examine_image
from .oddities import no_instance
from .shrunk_image import SUFFIXES, Plan, moved_annotation, plan_image, write_image

NUM_QUERIES, NUM_EPISODES = 15, 20  # of the pairs on which copying is scored
SETTINGS, ANNOTATIONS, IMAGES = 'shrunk.json', 'annotations/unified.json', 'images'


def shrink(
    ann_file: str | Path,
    image_folder: str | Path,
    out: str | Path,
    side: int = 304,
    kind: str = 'jpg',
    quality: int = 90,
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
        kind: ``jpg``; or without loss ``png``, or ``bmp``, which takes the most room and next to no
            time to read.
        quality: of JPEG, up to 100.
        workers: threads; as many as there are processors unless given.
        progress: called with the numbers of images done and to be done.
        dry_run: report the plan, write nothing.

    Returns:
        The report: numbers of images, pixels and bytes, and what copying the support scores before
        and after.

    Raises:
        FileNotFoundError: the annotation file or the folder is missing.
        InputError: the annotation file cannot be used, images are broken, or the folder holds a
            copy of other settings or annotations.
    """
    if side < 1 or not 1 <= quality <= 100:
        raise InputError(f'side {side}, quality {quality}: give at least 1, and at most 100')
    if kind not in SUFFIXES:
        raise InputError(f'kind is {kind!r}: choose one of {", ".join(SUFFIXES)}')
    image_folder, out = Path(image_folder), Path(out)
    if not image_folder.is_dir():
        raise FileNotFoundError(f'{image_folder}: there is no such image folder')
    if (out / IMAGES).resolve() == image_folder.resolve():
        raise InputError(f'{out}: its images are those to be shrunk: name another folder')
    content = read_coco(ann_file)
    plans = _plan(content, side, kind)
    if not dry_run:
        settings = {'side': side, 'kind': kind, 'quality': quality if kind == 'jpg' else None}
        _require_same_settings(out, {**settings, 'plan': _digest(plans)})
        _carry_out(plans, content, image_folder, out / IMAGES, quality, workers, progress)
    shrunk = _move_annotations(content, plans)
    if not dry_run:
        write_json(shrunk, out / ANNOTATIONS)
    report = {
        'file': str(ann_file),
        'out': str(out),
        'side': side,
        'kind': kind,
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


def _plan(content: dict, side: int, kind: str) -> dict[str, Plan]:
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
        plans[name] = plan_image(name, size, boxes[name], side, kind)
    if len({plan.target for plan in plans.values()}) < len(plans):
        raise InputError('two images would have one name in the copy, such as a and a.jpg')
    return plans


def _digest(plans: dict[str, Plan]) -> int:
    """A number that tells plans apart: a region may move while its size stays."""
    return zlib.crc32(repr([plans[name] for name in sorted(plans)]).encode())


def _require_same_settings(out: Path, settings: dict) -> None:
    file = out / SETTINGS
    if file.exists():
        if (there := read_json(file, 'record of the settings')) != settings:
            raise InputError(
                f'{out} holds a copy made with {there}, not {settings} (the plan follows from the '
                'annotations): name another folder'
            )
    elif out.exists() and any(out.iterdir()):
        raise InputError(f'{out} holds something else: name a new folder')
    else:
        write_json(settings, file)


def _carry_out(
    plans: dict[str, Plan],
    content: dict,
    source: Path,
    target: Path,
    quality: int,
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


def _move_annotations(content: dict, plans: dict[str, Plan]) -> dict:
    """The content of the copy's annotation file."""
    images = {image['id']: image for image in content['images']}
    moved = []
    for annotation in content['annotations']:
        image = images.get(annotation['image_id'])
        plan = image and plans[image['file_name']]
        unchanged = plan is None or plan.whole
        moved.append(annotation if unchanged else moved_annotation(annotation, image, plan))
    entries = []
    for image in content['images']:
        plan = plans[image['file_name']]
        width, height = plan.size
        entries.append({**image, 'file_name': plan.target, 'width': width, 'height': height})
    return {**content, 'images': entries, 'annotations': moved}


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
        f'pixels: {before / 1e6:.1f} million, then {after / 1e6:.1f}, or 1 of {before / after:.1f}',
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
