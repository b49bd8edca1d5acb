"""X-AnyLabeling's protocol for remote servers: its models, and their predictions as shapes.

A category is a model. An object is a rectangle and its points, joined by ``group_id``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from torch import nn

from fmmp.apis.estimator import Pose
from fmmp.apis.support import Box

from .category import Category, box_around, suggested
from .images import decode_base64
from .problems import Problem

MOST_BOXES = 100  # of a request


def models(categories: Mapping[str, Category]) -> dict[str, dict]:
    """The models by their ids, with the controls that X-AnyLabeling shows for them."""
    return {name: _description(category) for name, category in categories.items()}


def model(categories: Mapping[str, Category], name: object) -> dict:
    """One model.

    Raises:
        Problem: there is none of this id.
    """
    category = _category(categories, name)
    return {'model_id': category.name, **_description(category)}


def _description(category: Category) -> dict[str, Any]:
    return {
        'display_name': f'FMMP: {category.name}, {len(category.names)} keypoints',
        'widgets': [
            {'name': 'button_run', 'value': None},
            {'name': 'button_add_rect', 'value': None},
            {'name': 'button_clear', 'value': None},
            {'name': 'edit_conf', 'value': 0.0},
            {'name': 'toggle_preserve_existing_annotations', 'value': False},
        ],
        'params': {'conf_threshold': 0.0},
    }


def _category(categories: Mapping[str, Category], name: object) -> Category:
    if not isinstance(name, str) or name not in categories:
        known = ', '.join(categories) or 'none; start the server with --support'
        raise Problem(f'no model {name!r:.100}; there are: {known}', 'MODEL_NOT_FOUND', 404)
    return categories[name]


def predict(
    categories: Mapping[str, Category], load: Callable[[], nn.Module], request: Mapping[str, Any]
) -> dict[str, Any]:
    """Answer a request: the shapes in its picture.

    Args:
        categories: the models.
        load: gives the method that all of them use.
        request: ``model``, ``image`` in base64, and ``params``, of which two count: keypoints of
            less confidence than ``conf_threshold`` are left out, and ``marks`` that are added
            rectangles are the objects' boxes. Without any, the whole picture is one object's.

    Raises:
        Problem: the request is not of that form.
    """
    category = _category(categories, request.get('model'))
    params = request.get('params') or {}
    threshold = params.get('conf_threshold', 0) if isinstance(params, dict) else None
    if type(threshold) not in (int, float) or not 0 <= threshold <= 1:
        raise Problem("give 'params' as an object, with a 'conf_threshold' between 0 and 1, if any")
    image = decode_base64(request.get('image'))
    poses = category.find(load(), image, _boxes(params.get('marks') or []) or [None])
    shapes = []
    for number, pose in enumerate(poses, start=1):
        shapes += _shapes(category, pose, image, threshold, number)
    return {'shapes': shapes, 'description': ''}


def _boxes(marks: object) -> list[Box]:
    """The rectangles that someone has added, x, y, width, height."""
    boxes = []
    try:
        for mark in marks:
            if mark['type'] == 'rectangle' and mark.get('label', 1) == 1:
                ends = np.reshape(np.array(mark['data'], float), (2, 2))
                boxes.append((*ends.min(0).tolist(), *np.ptp(ends, axis=0).tolist()))
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise Problem("give 'marks' as X-AnyLabeling does: rectangles of two corners") from error
    if len(boxes) > MOST_BOXES:
        raise Problem(f'{len(boxes)} rectangles: {MOST_BOXES} at most')
    return boxes


def _shapes(
    category: Category, pose: Pose, image: np.ndarray, threshold: float, group: int
) -> list[dict]:
    height, width = image.shape[:2]
    points = np.clip(pose.keypoints, 0, (width, height))
    kept = np.flatnonzero(suggested(pose, threshold))
    if not kept.size:
        return []
    x, y, w, h = box_around(points[kept], (height, width))
    corners = [[x, y], [x + w, y], [x + w, y + h], [x, y + h]]
    score = float(pose.confidence[kept].mean())
    shapes = [_shape(category.name, 'rectangle', corners, score, group)]
    for number in kept:
        score = float(pose.confidence[number])
        place = [points[number].tolist()]
        shapes.append(_shape(category.names[number], 'point', place, score, group))
    return shapes


def _shape(label: str, kind: str, points: list, score: float, group: int) -> dict[str, Any]:
    return {
        'label': label,
        'shape_type': kind,
        'points': points,
        'score': score,
        'group_id': group,
        'attributes': {},
        'description': None,
        'difficult': False,
        'direction': 0,
        'flags': None,
        'kie_linking': [],
    }
