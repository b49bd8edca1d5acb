"""Annotation files: MP-100's COCO-style JSON to categories and instances."""

import difflib
import warnings
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from fmmp.errors import InputError

from .category_names import CategoryNames
from .coco import (
    ODD_VISIBILITY,
    describe_annotation,
    odd_visibility,
    read_coco,
    read_json,
    stays_inside,
)
from .crop import clean_box

Skeleton = tuple[tuple[int, int], ...]

# The categories whose links MP-100's split files count from 0; they count the others' from 1.
ZERO_BASED_IN_SPLIT_FILES = (32, 38, 39, 51, 84)


@dataclass(frozen=True, slots=True)
class Category:
    """A category.

    Attributes:
        id: its id.
        name: its name, which no other category of the file has (see `CategoryNames`).
        num_keypoints: K_c.
        skeleton: 0-based links.
        original_name: the name that the file gave it at first.
    """

    id: int
    name: str
    num_keypoints: int
    skeleton: Skeleton
    original_name: str = ''


@dataclass(frozen=True, slots=True, eq=False)
class Instance:
    """An annotated object in an image.

    Attributes:
        index: number of the instance in its annotation file, all categories counted.
        category_id: its category.
        image: path of the image inside the image folder.
        box: x, y, width, height in pixels, clipped to the image.
        keypoints: (K_c, 2) float32 pixels.
        visible: (K_c,) bool, whether a keypoint is labelled.
        occluded: (K_c,) bool, whether it is labelled though it cannot be seen (visibility 1); None
            where that is not known.
    """

    index: int
    category_id: int
    image: str
    box: tuple[float, float, float, float]
    keypoints: np.ndarray
    visible: np.ndarray
    occluded: np.ndarray | None = None


def load_annotations(
    ann_file: str | Path,
    categories: Sequence[int | str] | None = None,
    max_keypoints: int | None = None,
    allow_empty_skeleton: bool = False,
    skeleton_base: int | str | None = 0,
    skeleton_file: str | Path | None = None,
) -> tuple[dict[int, Category], dict[int, Instance]]:
    """Read the instances of some categories from a COCO-style annotation file.

    Instances are listed image by image, in the file's order. Crowds, annotations without keypoints
    and boxes with nothing inside the image give none. A keypoint is labelled where its visibility
    is above 0.

    Args:
        ann_file: the annotation file.
        categories: ids or names, in the order wanted; None for every annotated category. A name is
            the one shown (`Category.name`) or, where no two share it, the original one.
        max_keypoints: K, the most keypoints a category may have.
        allow_empty_skeleton: accept categories without links, which only zero padding can pad.
        skeleton_base: number of the first keypoint in the file's links: 0, 1, or ``'mp100'`` as in
            MP-100's fifteen split files, which mix the two; None leaves their links out.
        skeleton_file: JSON, category name or id to 0-based links, in place of the file's own.

    Returns:
        The categories by id, in the order wanted, and their instances by number.

    Raises:
        FileNotFoundError: a file is missing.
        ValueError: a file is not what it should be, a category is unknown or its name ambiguous, or
            a selected category's keypoints or skeleton cannot be used.
    """
    if skeleton_base not in (0, 1, 'mp100', None):
        raise InputError(f"skeleton_base is {skeleton_base!r}: give 0, 1 or 'mp100'")
    content = read_coco(ann_file)
    entries = {category['id']: category for category in content['categories']}
    names = CategoryNames(content)
    if categories is None:
        annotated = {annotation['category_id'] for annotation in content['annotations']}
        selected = [id_ for id_ in entries if id_ in annotated]
    else:
        selected = _resolve(categories, names, ann_file)
    if not selected:
        raise InputError(f'{ann_file}: no category has an annotation')

    instances = _instances(content, selected, ann_file)
    skeletons = _read_skeletons(skeleton_file, names) if skeleton_file else {}
    result = {}
    for id_ in selected:
        name = names.shown[id_]
        where = f'{ann_file}, category {name!r} ({id_})'
        count = _num_keypoints([x for x in instances.values() if x.category_id == id_], where)
        if max_keypoints is not None and count > max_keypoints:
            raise InputError(
                f'{where}: {count} keypoints are more than the {max_keypoints} the model has: '
                'raise data_cfg.num_keypoints or leave the category out of valid_class_ids'
            )
        if id_ in skeletons:
            skeleton = _skeleton(skeletons[id_], 0, count, f'{skeleton_file}, category {name!r}')
        else:
            base = skeleton_base
            if base == 'mp100':
                base = 0 if id_ in ZERO_BASED_IN_SPLIT_FILES else 1
            skeleton = _skeleton(entries[id_].get('skeleton') or [], base, count, where)
        if not skeleton and not allow_empty_skeleton:
            raise InputError(
                f'{where}: the skeleton is empty: give its links in a skeleton_file, set '
                "data_cfg.padding='zero', or leave the category out of valid_class_ids"
            )
        result[id_] = Category(id_, name, count, skeleton, names.original[id_])
    return result, instances


def count_instances(
    ann_file: str | Path, categories: Sequence[int | str] | None = None
) -> dict[int, tuple[str, int]]:
    """Return some categories' names and numbers of instances, by id.

    The arguments and errors are those of `load_annotations`.
    """
    content = read_coco(ann_file)
    names = CategoryNames(content)
    selected = list(names.shown) if categories is None else _resolve(categories, names, ann_file)
    counts = Counter(x.category_id for x in _instances(content, selected, ann_file).values())
    return {id_: (names.shown[id_], counts[id_]) for id_ in selected}


def _resolve(
    categories: Sequence[int | str], names: CategoryNames, ann_file: str | Path
) -> list[int]:
    """Turn ids and names into ids of the file."""
    selected = []
    for wanted in categories:
        try:
            id_ = names.find(wanted) if isinstance(wanted, str) else wanted
        except InputError as error:
            raise InputError(f'{ann_file}: in valid_class_ids, {error}') from None
        if id_ not in names.shown:
            known = [*names.shown.values(), *names.original.values()]
            near = difflib.get_close_matches(str(wanted), dict.fromkeys(known), n=3, cutoff=0.5)
            hint = f'did you mean {" or ".join(map(repr, near))}?' if near else _listing(names)
            raise InputError(f'{ann_file}: unknown category {wanted!r} in valid_class_ids: {hint}')
        if id_ in selected:
            raise InputError(
                f'{ann_file}: valid_class_ids names category {names.shown[id_]!r} ({id_}) twice: '
                'name it once'
            )
        selected.append(id_)
    return selected


def _listing(names: CategoryNames) -> str:
    shown = ', '.join(f'{id_} ({name})' for id_, name in list(names.shown.items())[:10])
    count = len(names.shown)
    return f'the file has {count} categories: {shown}{", …" if count > 10 else ""}'


def _instances(content: dict, selected: Sequence[int], ann_file: str | Path) -> dict[int, Instance]:
    images = {image['id']: image for image in content['images']}
    by_image = {id_: [] for id_ in images}
    for annotation in content['annotations']:
        if annotation['image_id'] in by_image:
            by_image[annotation['image_id']].append(annotation)

    wanted = set(selected)
    instances = {}
    index = 0
    odd = []  # annotations with another visibility than 0, 1 and 2
    for image_id, annotations in by_image.items():
        image = images[image_id]
        if annotations and not stays_inside(image['file_name']):
            raise InputError(
                f'{ann_file}: image {image_id} has the file_name {image["file_name"]!r}: paths '
                'must be relative to the image folder and stay inside it'
            )
        for annotation in annotations:
            box = usable_box(annotation, image['width'], image['height'])
            if box is None:
                continue
            if annotation['category_id'] in wanted:
                values = np.array(annotation['keypoints'], np.float64).reshape(-1, 3)
                if not np.isfinite(values).all():
                    raise InputError(
                        f'{ann_file}: {describe_annotation(annotation, image)}: its keypoints are '
                        'not finite'
                    )
                if odd_visibility(annotation):
                    odd.append(annotation)
                instances[index] = Instance(
                    index,
                    annotation['category_id'],
                    image['file_name'],
                    box,
                    values[:, :2].astype(np.float32),
                    values[:, 2] > 0,
                    values[:, 2] == 1,
                )
            index += 1
    if odd:
        warnings.warn(
            f'{ann_file}: {len(odd)} annotations, the first of them {odd[0].get("id")}, have '
            f'{ODD_VISIBILITY}',
            stacklevel=3,
        )
    return instances


def usable_box(
    annotation: dict, width: int, height: int
) -> tuple[float, float, float, float] | None:
    """Return the box clipped to the image, or None where the annotation gives no instance.

    Args:
        annotation: one in which `annotation_problem` finds none.
        width: the image's width.
        height: the image's height.
    """
    if annotation.get('iscrowd') or not any(annotation.get('keypoints') or ()):
        return None
    if annotation.get('num_keypoints') == 0 or 'bbox' not in annotation:
        return None
    box = clean_box(annotation['bbox'], width, height)
    area = annotation.get('area')
    return None if area is not None and area <= 0 else box


def _num_keypoints(instances: Sequence[Instance], where: str) -> int:
    """Return K_c: annotations decide, since a category's list of names may be short or missing."""
    counts = {len(instance.keypoints): instance for instance in instances}
    if not counts:
        raise InputError(
            f'{where}: no usable annotation (one with keypoints and a box inside its image): '
            'leave such categories out with allow_missing=True'
        )
    if len(counts) > 1:
        examples = ' and '.join(f'{n} (in {x.image})' for n, x in sorted(counts.items())[:2])
        raise InputError(
            f'{where}: annotations differ in their number of keypoints, {examples}: '
            'annotate all with the same'
        )
    return next(iter(counts))


def _read_skeletons(skeleton_file: str | Path, names: CategoryNames) -> dict[int, list]:
    content = read_json(skeleton_file, 'skeleton file')
    if not isinstance(content, dict):
        raise InputError(f'{skeleton_file}: give an object: category name or id to its links')
    try:
        if unknown := names.unknown(content):
            warnings.warn(
                f'{skeleton_file}: no category of the annotations is named {", ".join(unknown)}: '
                'these links are not used',
                stacklevel=3,
            )
        return names.by_id(content)
    except InputError as error:
        raise InputError(f'{skeleton_file}: {error}') from None


def _skeleton(links: list, base: int | None, count: int, where: str) -> Skeleton:
    """Return 0-based links, checked against the number of keypoints; none without a base."""
    if base is None:
        return ()
    if not isinstance(links, list):
        raise InputError(f'{where}: the skeleton is {links!r}: give a list of links [i, j]')
    for link in links:
        if not (isinstance(link, list) and len(link) == 2 and all(type(i) is int for i in link)):
            raise InputError(f'{where}: the skeleton has {link!r} where a link [i, j] belongs')
    skeleton = tuple((i - base, j - base) for i, j in links)
    for (i, j), link in zip(skeleton, links, strict=True):
        if not (0 <= i < count and 0 <= j < count):
            hint = 'correct the skeleton or give it in a skeleton_file'
            if base == 0 and all(1 <= k <= count for pair in links for k in pair):
                hint = (
                    "its links seem to count from 1: unify MP-100's split files or set "
                    f"skeleton_base='mp100', for other files skeleton_base=1, or {hint}"
                )
            raise InputError(
                f'{where}: the skeleton links a keypoint that does not exist: {link} where the '
                f'{count} keypoints are {base} to {count - 1 + base}: {hint}'
            )
    return skeleton
