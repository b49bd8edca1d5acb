"""Label Studio: a JSON file of tasks, and the labelling configuration that they belong to.

An object is a rectangle and its keypoints, which name it as ``parentID``; all coordinates are
percent of the image. Tasks do not say the keypoints' order: it is in the configuration, an XML
file of the same name, written and looked for beside the tasks. Its ``model_index`` is that order,
as Label Studio's own exports want it, and ``skeleton``, the links, is an addition of ours.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import parse_qs, quote, unquote, urlsplit

import numpy as np

from fmmp.datasets.coco import read_json
from fmmp.errors import InputError
from fmmp.files import atomic_path, write_json

from . import safe_xml
from .labels import Box, Labelled, Labels, choose, require_sizes

LOCAL_FILES = '/data/local-files/?d='
POINT_SIZE = 0.75  # percent of the image's width
HIDDEN = 'hidden'  # the note of a keypoint that is labelled though it is not to be seen


@dataclass(frozen=True)
class Config:
    """What of a labelling configuration is needed.

    Attributes:
        image: name of the tag ``Image``.
        key: of a task's data that holds the image's address.
        keypoints: name of the tag ``KeyPointLabels``.
        names: its labels, in the order of ``model_index`` if they have any.
        skeleton: links, counted from 0.
        box: name of the tag ``RectangleLabels``; None without one.
        categories: its labels.
    """

    image: str
    key: str
    keypoints: str
    names: tuple[str, ...]
    skeleton: tuple[tuple[int, int], ...] = ()
    box: str | None = None
    categories: tuple[str, ...] = ()


def parse_config(text: str, where: str | Path = 'the labelling configuration') -> Config:
    """Read a labelling configuration.

    Args:
        text: its XML.
        where: begins the errors.

    Raises:
        InputError: it is not XML, or has no image with keypoint labels.
    """
    root = safe_xml.parse(text, where)
    images = {tag.get('name'): tag.get('value', '') for tag in root.iter('Image')}
    keypoints = [tag for tag in root.iter('KeyPointLabels') if tag.get('toName') in images]
    if not keypoints or not keypoints[0].get('name'):
        raise InputError(
            f'{where}: give an Image and KeyPointLabels for it, with a Label a keypoint'
        )
    tag = keypoints[0]
    image = tag.get('toName')
    labels = [label for label in tag.iter('Label') if label.get('value')]
    indices = [label.get('model_index', '') for label in labels]
    if all(index.isdecimal() for index in indices):
        labels.sort(key=lambda label: int(label.get('model_index')))
    try:
        links = (link.split('-') for link in tag.get('skeleton', '').split())
        skeleton = tuple((int(i), int(j)) for i, j in links)
    except ValueError as error:
        raise InputError(f"{where}: the skeleton is not of the form '0-1 1-2'") from error
    names = tuple(dict.fromkeys(label.get('value') for label in labels))
    if not names:
        raise InputError(f'{where}: KeyPointLabels {tag.get("name")!r} has no Label with a value')
    boxes = [one for one in root.iter('RectangleLabels') if one.get('toName') == image]
    return Config(
        image,
        images[image].lstrip('$') or 'image',
        tag.get('name'),
        names,
        skeleton,
        boxes[0].get('name') if boxes else None,
        tuple(one.get('value', '') for one in boxes[0].iter('Label')) if boxes else (),
    )


def config_of(labels: Labels) -> bytes:
    """The labelling configuration for labels, as XML in UTF-8."""
    view = ET.Element('View')
    ET.SubElement(view, 'Image', {'name': 'image', 'value': '$image'})
    boxes = ET.SubElement(view, 'RectangleLabels', {'name': 'box', 'toName': 'image'})
    ET.SubElement(boxes, 'Label', {'value': labels.category})
    head = {'name': 'keypoints', 'toName': 'image'}
    if labels.skeleton:
        head['skeleton'] = ' '.join(f'{i}-{j}' for i, j in labels.skeleton)
    keypoints = ET.SubElement(view, 'KeyPointLabels', head)
    for number, name in enumerate(labels.names):
        ET.SubElement(keypoints, 'Label', {'value': name, 'model_index': str(number)})
    return safe_xml.to_bytes(view, 'the labelling configuration', declaration=False)


def read(path: str | Path, category: str | None = None, config: str | Path | None = None) -> Labels:
    """Read an export, or tasks to import.

    Of each task the newest annotation that was not cancelled counts; without one, the newest
    prediction.

    Args:
        path: the JSON file.
        category: the rectangles' label, if there are several.
        config: the labelling configuration [the XML file of the same name, if there]; without
            one, keypoints are in the order of their appearance.

    Raises:
        InputError: the file is not Label Studio's, or has no keypoints.
    """
    path = Path(path)
    tasks = read_json(path, 'file of tasks')
    if config is None and path.with_suffix('.xml').exists():
        config = path.with_suffix('.xml')
    parsed = None
    if config is not None:
        parsed = parse_config(Path(config).read_text(encoding='utf-8'), config)
    if not isinstance(tasks, list):
        raise InputError(f"{path}: not of Label Studio: no list of tasks (export 'JSON')")
    objects = []
    for position, task in enumerate(tasks):
        try:
            image = image_path(_address(task['data'], parsed))
            objects += [(image, *found) for found in read_results(newest(task).get('result') or [])]
        except (ArithmeticError, AttributeError, KeyError, TypeError, ValueError) as error:
            raise InputError(
                f"{path}: task {position} is not of Label Studio's JSON, with 'data' and "
                f"'annotations' ({type(error).__name__}: {error})"
            ) from error
    names = list(dict.fromkeys(name for *_, points in objects for name in points))
    if parsed and set(names) <= set(parsed.names):
        names = list(parsed.names)
    skeleton = parsed.skeleton if parsed and names == list(parsed.names) else ()
    categories = list(dict.fromkeys(label for _, label, *_ in objects if label))
    if not categories:
        categories = list(parsed.categories if parsed else ())[:1] or ['object']
    found = {name: Labels(name, names, skeleton) for name in categories}
    for image, label, size, box, points in objects:
        labels = found[label or categories[0]]
        labels.items.append(labelled(image, size, names, box, points))
    return choose(found, category, path)


def _address(data: Mapping[str, object], config: Config | None) -> str:
    """The image's address in a task's data: of the configuration's key, or the first text."""
    if config and isinstance(data.get(config.key), str):
        return data[config.key]
    texts = [value for value in (data.get('image'), *data.values()) if isinstance(value, str)]
    if not texts:
        raise ValueError('no address of an image in its data')
    return texts[0]


def image_path(address: str) -> str:
    """The path of an image in its folder, from its address in a task.

    Of local files it is what they are asked for by; of others, the address without its server.
    """
    parts = urlsplit(address)
    if parts.path.rstrip('/').endswith('/local-files'):
        return parse_qs(parts.query).get('d', [''])[0].replace('\\', '/')
    return unquote(parts.path).lstrip('/').removeprefix('data/upload/')


def newest(task: Mapping[str, object]) -> Mapping[str, object]:
    """A task's newest annotation that was not cancelled, else its prediction; {} without any."""
    annotations = [one for one in task.get('annotations') or () if not one.get('was_cancelled')]
    found = annotations or list(task.get('predictions') or ())
    if not found:
        return {}
    return max(found, key=lambda one: str(one.get('updated_at') or one.get('created_at') or ''))


Points = dict[str, tuple[float, float, int, float | None]]


def read_results(
    results: Sequence[Mapping],
) -> Iterator[tuple[str | None, tuple[int, int], Box | None, Points]]:
    """Yield the objects with keypoints among an annotation's results.

    Returns:
        For each, its label, the image's height and width, its box, and its keypoints by name: x, y
        in pixels, visibility, and the score if it was predicted.
    """
    boxes, objects = {}, {}
    for result in results:
        if result.get('type') not in ('keypointlabels', 'rectanglelabels'):
            continue
        width, height = int(result['original_width']), int(result['original_height'])
        value = result['value']
        x, y = float(value['x']) * width / 100, float(value['y']) * height / 100
        names = value.get(result['type']) or [None]
        if result['type'] == 'rectanglelabels':
            w, h = float(value['width']) * width / 100, float(value['height']) * height / 100
            box = _upright(x, y, w, h, float(value.get('rotation') or 0))
            label = None if names[0] is None else str(names[0])
            boxes[result.get('id')] = label, box
        elif names[0] is not None:
            parent = result.get('parentID')
            size, points = objects.setdefault(parent, ((height, width), {}))
            note = (result.get('meta') or {}).get('text') or ()
            score = result.get('score')
            if str(names[0]) in points:
                raise ValueError(
                    f'two keypoints {names[0]!r:.60} of one object: join each to its rectangle'
                )
            points[str(names[0])] = x, y, 1 if HIDDEN in note else 2, score
    for parent, (size, points) in objects.items():
        label, box = boxes.get(parent, (None, None))
        if label is None and len(boxes) == 1 and len(objects) == 1:
            label, box = next(iter(boxes.values()))  # one of each: whose else would they be?
        yield label, size, box, points


def _upright(x: float, y: float, w: float, h: float, degrees: float) -> Box:
    """The upright box around one that is turned, clockwise about its corner x, y."""
    angle = np.deg2rad(degrees)
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    corners = np.array([[0, 0], [w, 0], [w, h], [0, h]]) @ turn + (x, y)
    (left, top), (right, bottom) = corners.min(axis=0), corners.max(axis=0)
    return (left, top, right - left, bottom - top) if degrees else (x, y, w, h)


def labelled(
    image: str, size: tuple[int, int], names: Sequence[str], box: Box | None, points: Points
) -> Labelled:
    """An object of `read_results` with its keypoints in order."""
    nowhere = 0.0, 0.0, 0, None
    table = [points.get(name, nowhere) for name in names]
    confidence = None
    if all(isinstance(score, (int, float)) for *_, visible, score in table if visible):
        confidence = [score or 0.0 for *_, score in table]
    keypoints = [(x, y) for x, y, *_ in table]
    return Labelled(image, size, keypoints, [seen for *_, seen, _ in table], box, confidence)


def results(config: Config, category: str, item: Labelled, prefix: str) -> list[dict]:
    """An object as Label Studio's results: its rectangle, and its labelled keypoints.

    Args:
        config: names the tags.
        category: the rectangle's label.
        item: the object; its size must be known.
        prefix: begins the results' ids, which must be unique in an annotation.
    """
    height, width = item.size
    common = {
        'to_name': config.image,
        'original_width': width,
        'original_height': height,
        'image_rotation': 0,
    }
    found = []
    if item.box is not None and config.box is not None:
        x, y, w, h = item.box
        place = {
            'x': 100 * x / width,
            'y': 100 * y / height,
            'width': 100 * w / width,
            'height': 100 * h / height,
            'rotation': 0,
        }
        rectangle = {
            'id': prefix,
            'from_name': config.box,
            'type': 'rectanglelabels',
            'value': {**place, 'rectanglelabels': [category]},
        }
        found.append(common | rectangle)
    for number, name in enumerate(config.names):
        if not item.visible[number]:
            continue
        x, y = item.keypoints[number] * 100 / (width, height)
        point = {
            'id': f'{prefix}-{number}',
            'from_name': config.keypoints,
            'type': 'keypointlabels',
            'value': {
                'x': float(x),
                'y': float(y),
                'width': POINT_SIZE,
                'keypointlabels': [name],
            },
        }
        if found and found[0]['id'] == prefix:
            point['parentID'] = prefix
        if item.visible[number] == 1:
            point['meta'] = {'text': [HIDDEN]}
        if item.confidence is not None:
            point['score'] = float(item.confidence[number])
        found.append(common | point)
    return found


def write(labels: Labels, path: str | Path, prefix: str = LOCAL_FILES) -> None:
    """Write tasks to import, and their labelling configuration beside them.

    What a person labelled becomes an annotation, what has a confidence a prediction. Of several
    objects in one of these, those without a box get that of the whole image: a rectangle is all
    that tells whose keypoints are whose.

    Args:
        labels: what to write.
        path: the JSON file; the configuration is the XML file of the same name.
        prefix: begins the images' addresses: Label Studio's for local files, or that of a server.

    Raises:
        InputError: the size of an image is not known.
    """
    require_sizes(labels, path)
    path = Path(path)
    beside = path.with_suffix('.xml')
    _require_replaceable(beside)
    text = config_of(labels)
    config = parse_config(text.decode())
    tasks = []
    for name, items in labels.images().items():
        task = {'data': {'image': prefix + quote(name)}, 'annotations': [], 'predictions': []}
        for kind, predicted in (('annotations', False), ('predictions', True)):
            group = [item for item in items if (item.confidence is not None) == predicted]
            if len(group) > 1:
                group = [replace(item, box=item.full_box) for item in group]
            found = [
                result
                for number, item in enumerate(group, start=1)
                for result in results(config, labels.category, item, f'{kind}{number}')
            ]
            if group:
                entry = {'result': found}
                if predicted:
                    entry['score'] = float(np.mean([item.score for item in group]))
                    entry['model_version'] = 'fmmp'
                task[kind].append(entry)
        tasks.append(task)
    with atomic_path(beside) as scratch:
        scratch.write_bytes(text)
    write_json(tasks, path)


def _require_replaceable(file: Path) -> None:
    """Refuse to write a configuration over something else, such as CVAT's annotations."""
    if not file.exists():
        return
    try:
        parse_config(file.read_text(encoding='utf-8'), file)
    except (InputError, UnicodeDecodeError) as error:
        raise InputError(
            f"{file} is there and is no labelling configuration of Label Studio's, which would be "
            'written over it: name another target'
        ) from error
