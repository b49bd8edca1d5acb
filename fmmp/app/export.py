"""A project as a file of another tool."""

from __future__ import annotations

import io
import tempfile
import zipfile
from pathlib import Path

import numpy as np

from fmmp.errors import InputError
from fmmp.formats import FORMATS, Labelled, Labels, write

from .folder import Folder
from .project import Project

# What a format's file is called; without a suffix it is a folder.
FILES = {
    'coco': 'keypoints.json',
    'coco_results': 'results.json',
    'ultralytics': 'ultralytics',
    'labelme': 'labelme',
    'cvat': 'annotations.xml',
    'label_studio': 'tasks.json',
    'deeplabcut': 'CollectedData_fmmp.csv',
    'sleap': 'labels.slp',
    'nwb': 'labels.nwb',
}


def labels_of(folder: Folder, project: Project, predicted: bool = False) -> Labels:
    """A project's labels.

    Args:
        folder: the pictures.
        project: what is labelled in them.
        predicted: whether the pictures that nobody has checked count.

    Raises:
        InputError: nothing is labelled, or two keypoints have one name.
    """
    ids = [keypoint['id'] for keypoint in project.keypoints]
    links = [(ids.index(i), ids.index(j)) for i, j in project.links]
    items = []
    for name, seen in folder.pictures.items():
        picture = project.picture(name)
        points = [picture['points'].get(id_) for id_ in ids]
        if not any(points) or seen.error or not (picture['checked'] or predicted):
            continue
        confidence = None
        if not picture['checked']:
            confidence = [point.get('confidence', 1.0) if point else 0.0 for point in points]
        items.append(
            Labelled(
                name,
                (seen.height, seen.width),
                np.array([[p['x'], p['y']] if p else [0, 0] for p in points], float),
                np.array([(1 if p['hidden'] else 2) if p else 0 for p in points]),
                picture['box'] or _box(points, seen.width, seen.height),
                confidence,
            )
        )
    if not items:
        raise InputError('no picture is checked yet: label or accept one, or take predictions too')
    names = [keypoint['name'] or f'keypoint {n}' for n, keypoint in enumerate(project.keypoints, 1)]
    return Labels(folder.root.name or 'object', names, links, items)


def export(labels: Labels, format: str) -> tuple[str, bytes]:
    """Labels in a format: a file's name, and its content; of several files, a ZIP archive.

    Raises:
        InputError: there is no such format, or it needs what is not there.
    """
    if format not in FORMATS:
        raise InputError(f'there is no format {format!r}: choose from {", ".join(FORMATS)}')
    with tempfile.TemporaryDirectory() as scratch:
        # DeepLabCut's rows name the folder that the file lies in.
        target = Path(scratch, labels.category, FILES[format])
        root = target.parent if target.suffix else target
        write(labels, target, format)
        files = sorted(path for path in root.rglob('*') if path.is_file())
        if len(files) == 1:
            return files[0].name, files[0].read_bytes()
        content = io.BytesIO()
        with zipfile.ZipFile(content, 'w', zipfile.ZIP_DEFLATED) as archive:
            for path in files:
                archive.write(path, path.relative_to(root))
        return f'{format}.zip', content.getvalue()


def _box(points: list[dict | None], width: int, height: int, margin: float = 0.1) -> list[float]:
    """The keypoints' own box, a little larger, within the picture."""
    xy = np.array([[point['x'], point['y']] for point in points if point])
    low, high = xy.min(0), xy.max(0)
    around = margin * max(high - low) + 1
    low = np.clip(low - around, 0, [width, height])
    high = np.clip(high + around, 0, [width, height])
    if (high <= low).any():  # all of them lie outside
        return [0.0, 0.0, float(width), float(height)]
    return [*low.round(2).tolist(), *(high - low).round(2).tolist()]
