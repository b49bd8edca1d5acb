"""CVAT for images 1.1: an XML file of skeletons, whose labels and links are in its ``meta``.

CVAT's skeletons have no box: one is written as a rectangle of the label ``<category>_box``, joined
to its skeleton by ``group_id``, and read back so.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np

from fmmp.errors import InputError
from fmmp.files import atomic_path

from . import safe_xml
from .labels import Box, Labelled, Labels, choose, require_sizes

BOX = '_box'


def read(path: str | Path, category: str | None = None) -> Labels:
    """Read skeletons.

    Args:
        path: the XML file.
        category: the skeleton's label, if there are several.

    Raises:
        InputError: the file is not CVAT's, or has no skeletons.
    """
    root = _parse(path)
    found = _skeletons(root, path)
    images = root.findall('image')
    if not images and root.find('track') is not None:
        raise InputError(f"{path}: of a video: export 'CVAT for images 1.1'")
    for image in images:
        try:
            name = image.attrib['name']
            size = int(image.attrib['height']), int(image.attrib['width'])
            boxes, skeletons = _boxes(image), image.findall('skeleton')
            for element in skeletons:
                labels, group = found[element.attrib['label']], element.get('group_id')
                alone = len(skeletons) == 1 or group is not None  # else, whose would the box be?
                box = boxes.get((labels.category + BOX, group)) if alone else None
                labels.items.append(_labelled(name, size, labels, element, box))
        except (KeyError, ValueError) as error:
            if isinstance(error, InputError):
                raise InputError(f'{path}: {error}') from error
            raise InputError(
                f'{path}: the image {image.get("name")!r} is not as CVAT has it '
                f'({type(error).__name__}: {error})'
            ) from error
    return choose(found, category, path)


def _parse(path: str | Path) -> ET.Element:
    root = safe_xml.parse(Path(path).read_bytes(), path)
    if root.tag != 'annotations':
        raise InputError(f"{path}: not of CVAT: its root is {root.tag!r:.60}, not 'annotations'")
    return root


def _skeletons(root: ET.Element, path: str | Path) -> dict[str, Labels]:
    """The labels of type skeleton, with their keypoints and links, without objects."""
    labels = root.findall('meta//labels/label')
    found = {}
    for label in labels:
        name = label.findtext('name', '')
        if label.findtext('type') == 'skeleton':
            names = [one.findtext('name', '') for one in labels if one.findtext('parent') == name]
            found[name] = Labels(name, names, _links(label.findtext('svg', ''), names))
    if not found:
        raise InputError(f'{path}: there is no label of type skeleton')
    return found


def _links(svg: str, names: list[str]) -> list[tuple[int, int]]:
    """The links that a skeleton's drawing has; none if it cannot be read."""
    try:
        drawing = safe_xml.parse(f'<svg>{svg}</svg>', 'a drawing')
    except InputError:
        return []
    nodes = {}
    for position, circle in enumerate(drawing.iter('circle')):
        name = circle.get('data-label-name')
        number = names.index(name) if name in names else position
        nodes[circle.get('data-node-id', str(position + 1))] = number
    ends = [(line.get('data-node-from'), line.get('data-node-to')) for line in drawing.iter('line')]
    return [(nodes[i], nodes[j]) for i, j in ends if i in nodes and j in nodes]


def _boxes(image: ET.Element) -> dict[tuple[str, str | None], Box]:
    boxes = {}
    for element in image.findall('box'):
        x, y, right, bottom = (float(element.attrib[key]) for key in ('xtl', 'ytl', 'xbr', 'ybr'))
        boxes[element.attrib['label'], element.get('group_id')] = x, y, right - x, bottom - y
    return boxes


def _labelled(
    image: str, size: tuple[int, int], labels: Labels, element: ET.Element, box: Box | None
) -> Labelled:
    count = len(labels.names)
    keypoints, visible = np.zeros((count, 2)), np.zeros(count, int)
    for points in element.findall('points'):
        number = list(labels.names).index(points.attrib['label'])
        if points.get('outside') != '1':
            x, y = points.attrib['points'].split(',')
            keypoints[number] = float(x), float(y)
            visible[number] = 1 if points.get('occluded') == '1' else 2
    return Labelled(image, size, keypoints, visible, box)


def write(labels: Labels, path: str | Path) -> None:
    """Write an annotation file, to be uploaded to a task whose labels it describes.

    Raises:
        InputError: the size of an image is not known.
    """
    require_sizes(labels, path)
    root = ET.Element('annotations')
    _text(root, 'version', '1.1')
    listed = ET.SubElement(ET.SubElement(ET.SubElement(root, 'meta'), 'task'), 'labels')
    skeleton = _label(listed, labels.category, 'skeleton')
    _text(skeleton, 'svg', drawing(labels))
    for name in labels.names:
        _text(_label(listed, name, 'points'), 'parent', labels.category)
    if any(item.box is not None for item in labels.items):
        _label(listed, labels.category + BOX, 'rectangle')
    for number, (name, items) in enumerate(labels.images().items()):
        height, width = map(str, items[0].size)
        head = {'id': str(number), 'name': name, 'width': width, 'height': height}
        image = ET.SubElement(root, 'image', head)
        for group, item in enumerate(items, start=1):
            _write_object(image, labels, item, str(group))
    content = safe_xml.to_bytes(root, path)
    with atomic_path(path) as scratch:
        scratch.write_bytes(content)


def _text(parent: ET.Element, tag: str, text: str) -> None:
    ET.SubElement(parent, tag).text = text


def _label(parent: ET.Element, name: str, kind: str) -> ET.Element:
    label = ET.SubElement(parent, 'label')
    _text(label, 'name', name)
    _text(label, 'type', kind)
    ET.SubElement(label, 'attributes')
    return label


def _write_object(image: ET.Element, labels: Labels, item: Labelled, group: str) -> None:
    common = {'source': 'manual' if item.confidence is None else 'auto', 'z_order': '0'}
    joined = common if item.box is None else {**common, 'group_id': group}
    skeleton = ET.SubElement(image, 'skeleton', {'label': labels.category, **joined})
    for name, (x, y), visible in zip(labels.names, item.keypoints, item.visible, strict=True):
        state = {'outside': str(int(visible == 0)), 'occluded': str(int(visible == 1))}
        place = {'points': f'{x:.10g},{y:.10g}'}
        source = {'label': name, 'source': common['source']}
        ET.SubElement(skeleton, 'points', {**source, **state, **place})
    if item.box is not None:
        x, y, w, h = item.box
        corners = {'xtl': x, 'ytl': y, 'xbr': x + w, 'ybr': y + h}
        numbers = {key: f'{value:.10g}' for key, value in corners.items()}
        head = {'label': labels.category + BOX, 'occluded': '0'}
        ET.SubElement(image, 'box', {**head, **numbers, **joined})


def drawing(labels: Labels) -> str:
    """A skeleton's drawing as CVAT's SVG, in a square of 100: as first labelled, else a circle."""
    places = _places(labels)
    svg = ET.Element('svg')
    for i, j in labels.skeleton:
        ends = {'x1': places[i][0], 'y1': places[i][1], 'x2': places[j][0], 'y2': places[j][1]}
        line = {key: f'{value:.3f}' for key, value in ends.items()}
        nodes = {'data-type': 'edge', 'data-node-from': str(i + 1), 'data-node-to': str(j + 1)}
        ET.SubElement(svg, 'line', {**line, 'stroke': 'black', **nodes})
    for number, (name, (x, y)) in enumerate(zip(labels.names, places, strict=True), start=1):
        ids = {'data-element-id': str(number), 'data-node-id': str(number)}
        circle = {'r': '1.5', 'cx': f'{x:.3f}', 'cy': f'{y:.3f}', 'data-type': 'element node'}
        ET.SubElement(svg, 'circle', {**circle, **ids, 'data-label-name': name})
    return ''.join(ET.tostring(child, encoding='unicode') for child in svg)


def _places(labels: Labels) -> np.ndarray:
    """Places (K, 2) of the keypoints in the drawing."""
    for item in labels.items:
        if item.visible.all() and np.ptp(item.keypoints, axis=0).max() > 0:
            low, size = item.keypoints.min(axis=0), np.ptp(item.keypoints, axis=0).max()
            return 10 + 80 * (item.keypoints - low) / size
    angles = 2 * np.pi * np.arange(len(labels.names)) / len(labels.names)
    return 50 + 40 * np.stack([np.sin(angles), -np.cos(angles)], axis=1)
