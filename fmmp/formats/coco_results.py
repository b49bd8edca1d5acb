"""COCO keypoint results: a list of objects, which refer to the images of an annotation file.

The third number of a keypoint is its confidence, as COCO's visibilities have no use here.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from fmmp.datasets.coco import read_coco, read_json
from fmmp.errors import InputError
from fmmp.files import write_json

from . import coco
from .labels import Labelled, Labels, choose


def read(
    path: str | Path, annotations: str | Path | None = None, category: str | None = None
) -> Labels:
    """Read a results file.

    Args:
        path: the JSON file.
        annotations: the annotation file whose images and categories it refers to.
        category: the category's name, if there are several.

    Raises:
        InputError: a file is not COCO's, or the results refer to images that are not there.
    """
    if annotations is None:
        raise InputError(
            f'{path}: results name images and categories by ids alone: name the annotation file '
            'that has them (annotations=…, --annotations)'
        )
    content, results = read_coco(annotations), read_json(path, 'results file')
    images = {image['id']: image for image in content['images']}
    found = coco.read_categories(content, annotations)
    if not isinstance(results, list):
        raise InputError(f'{path}: COCO results are a list')
    for position, result in enumerate(results):
        try:
            image, labels = images[result['image_id']], found[result['category_id']]
            table = np.reshape(np.asarray(result['keypoints'], float), (-1, 3))
            labels.items.append(
                Labelled(
                    image['file_name'],
                    (image['height'], image['width']),
                    table[:, :2],
                    table.any(axis=1),
                    result.get('bbox'),
                    table[:, 2],
                )
            )
        except (ArithmeticError, AttributeError, KeyError, TypeError, ValueError) as error:
            raise InputError(
                f'{path}: result {position} is none of an image and a category of {annotations}, '
                f"with 'keypoints' [x, y, confidence, …] ({type(error).__name__}: {error})"
            ) from error
    return choose({labels.category: labels for labels in found.values()}, category, path)


def write(labels: Labels, path: str | Path, annotations: str | Path | None = None) -> None:
    """Write a results file.

    Args:
        labels: what to write; keypoints that a person labelled have the confidence 1.
        path: the JSON file.
        annotations: the annotation file whose ids of images and category it refers to; else the
            ids are those that `coco.write` gives the same labels.

    Raises:
        InputError: the annotation file lacks an image or the category.
    """
    numbers, category_id = coco.image_numbers(labels), 1
    if annotations is not None:
        content = read_coco(annotations)
        numbers = {image['file_name']: image['id'] for image in content['images']}
        ids = {entry['name']: entry['id'] for entry in content['categories']}
        missing = [name for name in labels.images() if name not in numbers]
        if labels.category not in ids or missing:
            what = f'category {labels.category!r}' if labels.category not in ids else missing[0]
            raise InputError(f'{annotations} has no {what}, which the results would refer to')
        category_id = ids[labels.category]
    results = []
    for item in labels.items:
        confidence = np.ones(len(item.visible)) if item.confidence is None else item.confidence
        table = np.column_stack([item.keypoints, np.where(item.visible > 0, confidence, 0)])
        result = {
            'image_id': numbers[item.image],
            'category_id': category_id,
            'keypoints': table.ravel().tolist(),
            'score': item.score,
        }
        results.append(result if item.box is None else {**result, 'bbox': list(item.box)})
    write_json(results, path)
