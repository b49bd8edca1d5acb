"""labelme: a JSON file an image, of points and, joined to them by ``group_id``, a rectangle.

A point's label is its keypoint's name; the rectangle's is the category. labelme keeps what it does
not know, so that the order of the keypoints, those that no image has, and the links are kept in
three entries of ours: ``category``, ``keypoints``, ``skeleton``.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path, PurePosixPath, PureWindowsPath

import numpy as np

from fmmp.datasets.coco import json_files, read_json
from fmmp.errors import InputError
from fmmp.files import write_json

from .labels import Labelled, Labels, choose, image_size, require_inside, require_sizes

VERSION = '5.5.0'  # whose form this is
OUTLINES = ('rectangle', 'polygon')


def read(path: str | Path, images: str | Path | None = None, category: str | None = None) -> Labels:
    """Read one file, or those of a folder and the folders in it.

    Args:
        path: the file or folder.
        images: the folder of the images, for files that do not say their sizes [beside them].
        category: the rectangles' label, if there are several; points without one are of the first.

    Raises:
        InputError: a file is not labelme's, or none has a point.
    """
    path = Path(path)
    root = path if path.is_dir() else path.parent
    files = json_files(path, '**/*.json') if path.is_dir() else [path]
    objects, known = [], {}
    for file in files:
        content = read_json(file, 'labelme file')
        if not isinstance(content, dict) or not isinstance(content.get('shapes'), list):
            raise InputError(f"{file}: not of labelme: there is no list 'shapes'")
        known = known or {key: content.get(key) for key in ('category', 'keypoints', 'skeleton')}
        image = PureWindowsPath(str(content.get('imagePath') or file.with_suffix('.jpg'))).name
        image = (file.parent.relative_to(root) / image).as_posix()
        size = content.get('imageHeight'), content.get('imageWidth')
        if not all(isinstance(side, int) for side in size):
            size = image_size(images or root, image)
        for label, points, outline in _objects(file, content['shapes']):
            objects.append((image, size, label, points, outline))
    if not objects:
        raise InputError(f'{path}: no labelme file in it has a point')
    labels = [known['category'], *(label for _, _, label, *_ in objects)]
    first = next((str(name) for name in labels if name), root.resolve().name)
    try:
        skeleton = [(int(i), int(j)) for i, j in known['skeleton'] or ()]
    except (OverflowError, TypeError, ValueError) as error:
        raise InputError(f'{files[0]}: the skeleton is no pairs') from error
    found = {}
    for name in dict.fromkeys(label or first for _, _, label, *_ in objects):
        own = [one for one in objects if (one[2] or first) == name]
        names = list(dict.fromkeys(point for *_, points, _ in own for point in points))
        if isinstance(known['keypoints'], list) and set(names) <= set(map(str, known['keypoints'])):
            names = list(map(str, known['keypoints']))
        items = [_labelled(image, size, names, *rest) for image, size, _, *rest in own]
        found[name] = Labels(name, names, skeleton, items)
    return choose(found, category, path)


def _objects(
    file: Path, shapes: list
) -> Iterator[tuple[str | None, dict[str, dict], list[list[float]]]]:
    """Yield each group that has points: its outline's label, its points by name, its outline."""
    groups = {}
    for shape in shapes:
        try:
            kind, label, group = shape.get('shape_type'), str(shape['label']), shape.get('group_id')
            corners = np.array(shape['points'], float)
            if corners.ndim != 2 or corners.shape[1] != 2:
                raise ValueError('points must be [[x, y], …]')
            points, outline = groups.setdefault(group, ({}, []))
        except (ArithmeticError, AttributeError, KeyError, TypeError, ValueError) as error:
            raise InputError(f'{file}: a shape has no label and points: {shape!r:.200}') from error
        if kind == 'point' and len(corners) == 1:
            if label in points:
                raise InputError(
                    f'{file}: one object has two points {label!r}: give objects different group_ids'
                )
            points[label] = shape
        elif kind in OUTLINES and len(corners):
            outline.append((label, corners))
    for points, outline in groups.values():
        if points:
            label = outline[0][0] if outline else None
            yield label, points, [corner for _, corners in outline for corner in corners.tolist()]


def _labelled(
    image: str,
    size: tuple[int, int] | None,
    names: list[str],
    points: dict[str, dict],
    outline: list[list[float]],
) -> Labelled:
    keypoints, visible, scores = np.zeros((len(names), 2)), np.zeros(len(names), int), []
    for number, name in enumerate(names):
        shape = points.get(name, {})
        scores.append(shape.get('score', (shape.get('other_data') or {}).get('score')))
        if shape:
            keypoints[number] = shape['points'][0]
            flags = shape.get('flags')
            visible[number] = 1 if isinstance(flags, dict) and flags.get('hidden') else 2
    box = None
    if outline:
        (x, y), (right, bottom) = np.min(outline, axis=0), np.max(outline, axis=0)
        box = x, y, right - x, bottom - y
    given = [score for score, seen in zip(scores, visible, strict=True) if seen]
    confidence = None
    if all(isinstance(score, (int, float)) for score in given):
        confidence = [score or 0.0 for score in scores]
    return Labelled(image, size, keypoints, visible, box, confidence)


def write(labels: Labels, path: str | Path) -> None:
    """Write a file an image into a folder: where the images are, as labelme expects.

    Raises:
        InputError: the size of an image is not known, its path leads out of the folder, two images
            would share a file, or one of another kind is there.
    """
    require_sizes(labels, path)
    require_inside(labels, path)
    files = {}
    for image, items in labels.images().items():
        file = PurePosixPath(image.replace('\\', '/')).with_suffix('.json')
        if other := files.get(file):
            raise InputError(f'{path}: {image} and {other[0]} would share {file}: rename one')
        files[file] = image, items
    for file in files:
        _require_replaceable(Path(path, file))
    for file, (image, items) in files.items():
        height, width = items[0].size
        content = {
            'version': VERSION,
            'flags': {},
            'shapes': [
                shape
                for group, item in enumerate(items, start=1)
                for shape in shapes(labels, item, group)
            ],
            'imagePath': PurePosixPath(image.replace('\\', '/')).name,
            'imageData': None,
            'imageHeight': height,
            'imageWidth': width,
            'category': labels.category,
            'keypoints': list(labels.names),
            'skeleton': [list(map(int, link)) for link in labels.skeleton],
        }
        write_json(content, Path(path) / file)


def _require_replaceable(file: Path) -> None:
    """Refuse to write over something else, such as a keypoint file beside its picture."""
    content = read_json(file, 'labelme file') if file.exists() else {'shapes': []}
    if not isinstance(content, dict) or 'shapes' not in content:
        raise InputError(
            f"{file} is there and is not labelme's, such as a picture's keypoint file: move it, "
            'or name another folder'
        )


def shapes(labels: Labels, item: Labelled, group: int) -> Iterator[dict]:
    """An object as labelme's shapes: its rectangle, if it has a box, and its labelled points."""
    shape = {'group_id': group, 'description': '', 'flags': {}, 'mask': None}
    if item.box is not None:
        x, y, w, h = item.box
        corners = [[x, y], [x + w, y + h]]
        yield shape | {'label': labels.category, 'points': corners, 'shape_type': 'rectangle'}
    for number, name in enumerate(labels.names):
        if item.visible[number]:
            point = {
                'label': name,
                'points': [item.keypoints[number].tolist()],
                'shape_type': 'point',
                'flags': {'hidden': True} if item.visible[number] == 1 else {},
            }
            if item.confidence is not None:
                point['score'] = float(item.confidence[number])
            yield shape | point
