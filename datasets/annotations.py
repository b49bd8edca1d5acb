"""Annotation files: MP-100's COCO-style JSON to categories and instances."""

import difflib
import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path, PureWindowsPath

import numpy as np

from fmmp.errors import InputError

Skeleton = tuple[tuple[int, int], ...]

# The categories whose links MP-100's split files count from 0; they count the others' from 1.
ZERO_BASED_IN_SPLIT_FILES = (32, 38, 39, 51, 84)


@dataclass(frozen=True, slots=True)
class Category:
    """A category: its id, its name, its number of keypoints K_c, and 0-based links."""

    id: int
    name: str
    num_keypoints: int
    skeleton: Skeleton


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
    """

    index: int
    category_id: int
    image: str
    box: tuple[float, float, float, float]
    keypoints: np.ndarray
    visible: np.ndarray


def load_annotations(
    ann_file: str | Path,
    categories: Sequence[int | str] | None = None,
    max_keypoints: int | None = None,
    allow_empty_skeleton: bool = False,
    skeleton_base: int | str = 0,
    skeleton_file: str | Path | None = None,
) -> tuple[dict[int, Category], dict[int, Instance]]:
    """Read the instances of some categories from a COCO-style annotation file.

    Instances are listed image by image, in the file's order. Crowds, annotations without keypoints
    and boxes with nothing inside the image give none.

    Args:
        ann_file: the annotation file.
        categories: ids or names, in the order wanted; None for every annotated category.
        max_keypoints: K, the most keypoints a category may have.
        allow_empty_skeleton: accept categories without links, which only zero padding can pad.
        skeleton_base: number of the first keypoint in the file's links: 0, 1, or ``'mp100'`` as in
            MP-100's fifteen split files, which mix the two.
        skeleton_file: JSON, category name or id to 0-based links, in place of the file's own.

    Returns:
        The categories by id, in the order wanted, and their instances by number.

    Raises:
        FileNotFoundError: a file is missing.
        ValueError: a file is not what it should be, a category is unknown, or a selected
            category's keypoints or skeleton cannot be used.
    """
    if skeleton_base not in (0, 1, 'mp100'):
        raise InputError(f"skeleton_base is {skeleton_base!r}: give 0, 1 or 'mp100'")
    content = read_coco(ann_file)
    entries = {category['id']: category for category in content['categories']}
    if categories is None:
        annotated = {annotation.get('category_id') for annotation in content['annotations']}
        selected = [id_ for id_ in entries if id_ in annotated]
    else:
        selected = _resolve(categories, entries, ann_file)
    if not selected:
        raise InputError(f'{ann_file}: no category has an annotation')

    instances = _instances(content, selected, ann_file)
    skeletons = _read_skeletons(skeleton_file) if skeleton_file else {}
    result = {}
    for id_ in selected:
        entry = entries[id_]
        where = f'{ann_file}, category {entry["name"]!r} ({id_})'
        count = _num_keypoints([x for x in instances.values() if x.category_id == id_], where)
        if max_keypoints is not None and count > max_keypoints:
            raise InputError(
                f'{where}: {count} keypoints are more than the {max_keypoints} the model has: '
                'raise data_cfg.num_keypoints or leave the category out of valid_class_ids'
            )
        given = skeletons.get(entry['name'], skeletons.get(str(id_)))
        if given is not None:
            skeleton = _skeleton(given, 0, count, f'{skeleton_file}, category {entry["name"]!r}')
        else:
            base = skeleton_base
            if base == 'mp100':
                base = 0 if id_ in ZERO_BASED_IN_SPLIT_FILES else 1
            skeleton = _skeleton(entry.get('skeleton') or [], base, count, where)
        if not skeleton and not allow_empty_skeleton:
            raise InputError(
                f'{where}: the skeleton is empty: give its links in a skeleton_file, set '
                "data_cfg.padding='zero', or leave the category out of valid_class_ids"
            )
        result[id_] = Category(id_, entry['name'], count, skeleton)
    return result, instances


def read_json(file: str | Path, role: str) -> object:
    """Read a JSON file; ``role`` says what it is in errors.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it cannot be read, or is not JSON.
    """
    try:
        return json.loads(Path(file).read_text(encoding='utf-8'))
    except FileNotFoundError:
        raise FileNotFoundError(
            f'{file}: there is no such {role}: check the path (it is relative to the directory you '
            'run from)'
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f'{file}: the {role} cannot be read: {error}') from error
    except (json.JSONDecodeError, RecursionError) as error:
        raise InputError(
            f'{file}: the {role} is not JSON ({error}): download or write it again'
        ) from error


def read_coco(ann_file: str | Path) -> dict:
    """Read a COCO-style annotation file whose entries have what every use of them needs.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it cannot be read, or is not COCO-style.
    """
    content = read_json(ann_file, 'annotation file')
    required = {
        'images': ('id', 'file_name', 'width', 'height'),
        'annotations': ('image_id', 'category_id'),
        'categories': ('id', 'name'),
    }
    for section, keys in required.items():
        entries = content.get(section) if isinstance(content, dict) else None
        if not isinstance(entries, list):
            raise InputError(
                f'{ann_file}: not COCO-style: there is no list {section!r}: give a file with '
                "'images', 'annotations' and 'categories'"
            )
        for position, entry in enumerate(entries):
            missing = [key for key in keys if not isinstance(entry, dict) or key not in entry]
            if missing:
                raise InputError(
                    f'{ann_file}: not COCO-style: {section}[{position}] has no {missing[0]!r}: '
                    f'every entry needs {", ".join(keys)}'
                )
            wrong = [key for key in keys if not isinstance(entry[key], (int, float, str))]
            if wrong:
                raise InputError(
                    f'{ann_file}: not COCO-style: {section}[{position}] has the {wrong[0]} '
                    f'{entry[wrong[0]]!r}: give a number or text'
                )
    return content


def stays_inside(file_name: object) -> bool:
    """Whether an image's path is relative and does not climb out of the image folder."""
    if not isinstance(file_name, str) or not file_name or '\0' in file_name:
        return False
    windows = PureWindowsPath(file_name)  # knows both kinds of slash, and drives
    return not (windows.drive or windows.root or '..' in windows.parts)


def count_instances(
    ann_file: str | Path, categories: Sequence[int | str] | None = None
) -> dict[int, tuple[str, int]]:
    """Return some categories' names and numbers of instances, by id.

    The arguments and errors are those of `load_annotations`.
    """
    content = read_coco(ann_file)
    entries = {category['id']: category for category in content['categories']}
    selected = list(entries) if categories is None else _resolve(categories, entries, ann_file)
    counts = Counter(x.category_id for x in _instances(content, selected, ann_file).values())
    return {id_: (entries[id_]['name'], counts[id_]) for id_ in selected}


def _resolve(
    categories: Iterable[int | str], entries: dict[int, dict], ann_file: str | Path
) -> list[int]:
    """Turn ids and names into ids of the file."""
    ids = {entry['name']: id_ for id_, entry in entries.items()}
    selected = []
    for wanted in categories:
        id_ = ids.get(wanted) if isinstance(wanted, str) else wanted
        if id_ not in entries:
            near = difflib.get_close_matches(str(wanted), ids, n=3, cutoff=0.5)
            hint = f'did you mean {" or ".join(map(repr, near))}?' if near else _listing(entries)
            raise InputError(f'{ann_file}: unknown category {wanted!r} in valid_class_ids: {hint}')
        if id_ in selected:
            raise InputError(
                f'{ann_file}: valid_class_ids names category {entries[id_]["name"]!r} ({id_}) '
                'twice: name it once'
            )
        selected.append(id_)
    return selected


def _listing(entries: dict[int, dict]) -> str:
    shown = ', '.join(f'{id_} ({entry["name"]})' for id_, entry in list(entries.items())[:10])
    return f'the file has {len(entries)} categories: {shown}{", …" if len(entries) > 10 else ""}'


def _instances(content: dict, selected: Sequence[int], ann_file: str | Path) -> dict[int, Instance]:
    images = {image['id']: image for image in content['images']}
    by_image = {id_: [] for id_ in images}
    for annotation in content['annotations']:
        if annotation['image_id'] in by_image:
            by_image[annotation['image_id']].append(annotation)

    wanted = set(selected)
    instances = {}
    index = 0
    for image_id, annotations in by_image.items():
        image = images[image_id]
        if annotations and not stays_inside(image['file_name']):
            raise InputError(
                f'{ann_file}: image {image_id} has the file_name {image["file_name"]!r}: paths '
                'must be relative to the image folder and stay inside it'
            )
        for annotation in annotations:
            try:
                box = usable_box(annotation, image['width'], image['height'])
                if box is None:
                    continue
                if annotation['category_id'] in wanted:
                    values = np.array(annotation['keypoints'], np.float64).reshape(-1, 3)
                    if not np.isfinite(values).all():
                        raise InputError('its keypoints are not finite')
                    instances[index] = Instance(
                        index,
                        annotation['category_id'],
                        image['file_name'],
                        box,
                        values[:, :2].astype(np.float32),
                        values[:, 2] > 0,
                    )
            except (TypeError, ValueError) as error:
                raise InputError(
                    f'{ann_file}: annotation {annotation.get("id")} (category '
                    f'{annotation["category_id"]}, image {image["file_name"]}) is not COCO-style: '
                    f'{error}: bbox is [x, y, w, h] and keypoints [x, y, v, …]'
                ) from error
            index += 1
    return instances


def usable_box(
    annotation: dict, width: int, height: int
) -> tuple[float, float, float, float] | None:
    """Return the box clipped to the image, or None where the annotation gives no instance.

    Raises:
        TypeError: a value is no number.
        ValueError: the box has not four values.
    """
    if annotation.get('iscrowd') or not any(annotation.get('keypoints') or ()):
        return None
    if annotation.get('num_keypoints') == 0 or 'bbox' not in annotation:
        return None
    box = clean_box(annotation['bbox'], width, height)
    area = annotation.get('area')
    return None if area is not None and area <= 0 else box


def clean_box(
    box: Sequence[float], width: int, height: int
) -> tuple[float, float, float, float] | None:
    """Clip a box to an image.

    Args:
        box: x, y, width, height in pixels.
        width: the image's width.
        height: the image's height.

    Returns:
        The clipped box, or None where nothing of it is inside the image.
    """
    x, y, w, h = box
    x1, y1 = max(0, x), max(0, y)
    x2 = min(width - 1, x1 + max(0, w - 1))
    y2 = min(height - 1, y1 + max(0, h - 1))
    return (x1, y1, x2 - x1, y2 - y1) if x2 > x1 and y2 > y1 else None


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


def _read_skeletons(skeleton_file: str | Path) -> dict[str, list]:
    content = read_json(skeleton_file, 'skeleton file')
    if not isinstance(content, dict):
        raise InputError(f'{skeleton_file}: give an object: category name or id to its links')
    return content


def _skeleton(links: list, base: int, count: int, where: str) -> Skeleton:
    """Return 0-based links, checked against the number of keypoints."""
    for link in links:
        if not (isinstance(link, list) and len(link) == 2 and all(type(i) is int for i in link)):
            raise InputError(f'{where}: the skeleton has {link!r} where a link [i, j] belongs')
    skeleton = tuple((i - base, j - base) for i, j in links)
    for (i, j), link in zip(skeleton, links, strict=True):
        if not (0 <= i < count and 0 <= j < count):
            hint = 'correct the skeleton or give it in a skeleton_file'
            if base == 0 and all(1 <= k <= count for pair in links for k in pair):
                hint = f'its links seem to count from 1: set skeleton_base=1, or {hint}'
            raise InputError(
                f'{where}: the skeleton links a keypoint that does not exist: {link} where the '
                f'{count} keypoints are {base} to {count - 1 + base}: {hint}'
            )
    return skeleton
