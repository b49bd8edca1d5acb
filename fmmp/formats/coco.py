"""COCO keypoints: annotations, one JSON file of images, categories and objects.

Skeletons are counted from 1, as COCO's own are. A keypoint's confidence is an addition of ours,
``keypoint_scores``, which other readers pass over.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from fmmp.datasets.category_names import CategoryNames
from fmmp.datasets.coco import read_coco
from fmmp.errors import InputError
from fmmp.files import write_json

from .labels import Labelled, Labels, choose, require_sizes


def read(path: str | Path, category: str | None = None) -> Labels:
    """Read an annotation file.

    Args:
        path: the JSON file.
        category: the category's name, if the file has several.

    Raises:
        InputError: the file is not COCO-style, or the category is not in it.
    """
    content = read_coco(path)
    images = {image['id']: image for image in content['images']}
    found = read_categories(content, path)
    for annotation in content['annotations']:
        labels, image = found.get(annotation['category_id']), images.get(annotation['image_id'])
        if labels and image and annotation.get('keypoints'):
            labels.items.append(_labelled(annotation, image))
    return choose({labels.category: labels for labels in found.values()}, category, path)


def read_categories(content: dict, path: str | Path) -> dict[int, Labels]:
    """The categories of a COCO file by their ids, without objects.

    Keypoints without names are numbered, and categories of one name told apart.
    """
    names = CategoryNames(content).shown
    counts = {}
    for annotation in content['annotations']:
        id_, keypoints = annotation['category_id'], annotation.get('keypoints') or ()
        counts[id_] = max(counts.get(id_, 0), len(keypoints) // 3)
    return {
        entry['id']: _category(entry, names[entry['id']], counts.get(entry['id'], 0), path)
        for entry in content['categories']
    }


def _category(entry: dict, name: str, count: int, path: str | Path) -> Labels:
    """A category of as many keypoints as its objects have, or as it names."""
    names = list(entry.get('keypoints') or ())
    count = count or len(names)
    names += map(str, range(len(names) + 1, count + 1))
    try:
        links = [(int(i), int(j)) for i, j in entry.get('skeleton') or ()]
    except (OverflowError, TypeError, ValueError) as error:
        raise InputError(f'{path}: the skeleton of {entry["name"]!r} is no pairs') from error
    first = 0 if any(0 in link for link in links) else 1
    return Labels(name, names[:count], [(i - first, j - first) for i, j in links])


def _labelled(annotation: dict, image: dict) -> Labelled:
    table = np.reshape(annotation['keypoints'], (-1, 3)).astype(float)
    visible = np.where(np.isin(table[:, 2], (0, 1, 2)), table[:, 2], 2 * (table[:, 2] > 0))
    return Labelled(
        image['file_name'],
        (image['height'], image['width']),
        table[:, :2],
        visible,
        annotation.get('bbox'),
        annotation.get('keypoint_scores'),
    )


def write(labels: Labels, path: str | Path) -> None:
    """Write an annotation file; an object without a box has that of the whole image.

    Raises:
        InputError: the size of an image is not known.
    """
    require_sizes(labels, path)
    numbers = image_numbers(labels)
    sizes = {item.image: item.size for item in labels.items}
    images = [
        {'id': number, 'file_name': name, 'height': sizes[name][0], 'width': sizes[name][1]}
        for name, number in numbers.items()
    ]
    annotations = [
        _annotation(number, numbers[item.image], item)
        for number, item in enumerate(labels.items, start=1)
    ]
    category = {
        'id': 1,
        'name': labels.category,
        'supercategory': '',
        'keypoints': list(labels.names),
        'skeleton': [[i + 1, j + 1] for i, j in labels.skeleton],
    }
    content = {'images': images, 'annotations': annotations, 'categories': [category]}
    write_json({'info': {}, 'licenses': [], **content}, path)


def image_numbers(labels: Labels) -> dict[str, int]:
    """The ids of images, from 1 on, in the order of their first appearance."""
    return {name: number for number, name in enumerate(labels.images(), start=1)}


def _annotation(number: int, image: int, item: Labelled) -> dict:
    _, _, width, height = item.full_box
    rows = zip(item.keypoints.tolist(), item.visible.tolist(), strict=True)
    annotation = {
        'id': number,
        'image_id': image,
        'category_id': 1,
        'bbox': list(item.full_box),
        'area': width * height,
        'iscrowd': 0,
        'keypoints': [value for point, visible in rows for value in (*point, visible)],
        'num_keypoints': int((item.visible > 0).sum()),
    }
    if item.confidence is not None:
        annotation |= {'score': item.score, 'keypoint_scores': item.confidence.tolist()}
    return annotation
