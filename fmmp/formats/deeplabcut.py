"""DeepLabCut: a CSV file of x and y, a row an image, as it lies in ``labeled-data/<video>/``.

Reads single- and multi-animal files, and predictions, which have a likelihood. It holds neither
sizes nor boxes nor links, and of hidden keypoints nothing.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from fmmp.errors import InputError
from fmmp.files import atomic_path

from .labels import Labelled, Labels, image_size

ROOT = 'labeled-data'
LEVELS = ('scorer', 'individuals', 'bodyparts', 'coords')


def read(path: str | Path, images: str | Path | None = None) -> Labels:
    """Read labels or predictions; the category is the name of the folder.

    Rows without any keypoint are passed over, and so are the body parts of the individual
    ``single``, which belong to no animal.

    Args:
        path: the CSV file.
        images: the folder of the images, for their sizes [that of the file].

    Raises:
        InputError: the file is not DeepLabCut's.
    """
    path = Path(path)
    try:
        with open(path, encoding='utf-8-sig', newline='') as file:
            rows = [row for row in csv.reader(file) if any(map(str.strip, row))]
    except (csv.Error, UnicodeDecodeError) as error:
        raise InputError(f'{path}: not readable as CSV: {error}') from error
    levels = {row[0]: row for row in rows[:4] if row[0] in LEVELS}
    if not {'scorer', 'bodyparts', 'coords'} <= levels.keys():
        raise InputError(f"{path}: not of DeepLabCut: no rows 'scorer', 'bodyparts' and 'coords'")
    first = next((i for i, value in enumerate(levels['coords']) if value == 'x'), None)
    if first is None or len({len(row) for row in levels.values()}) > 1:
        raise InputError(f"{path}: not of DeepLabCut: the row 'coords' names no x")
    individuals = levels.get('individuals', [''] * len(levels['coords']))
    columns = list(zip(individuals, levels['bodyparts'], levels['coords'], strict=True))[first:]
    animals = list(dict.fromkeys(animal for animal, *_ in columns if animal != 'single'))
    names = list(dict.fromkeys(name for animal, name, _ in columns if animal in animals))
    folder = path.parent if images is None else Path(images)
    items = []
    for number, row in enumerate(rows[len(levels) :], start=len(levels) + 1):
        try:
            image = _image(row[:first])
            if len(row) != first + len(columns):
                raise ValueError(f'{len(row)} columns')
            values = {
                column: float(value) if value.strip() else math.nan
                for column, value in zip(columns, row[first:], strict=True)
            }
        except ValueError as error:
            raise InputError(f'{path}, row {number}: {error}') from error
        size = image_size(folder, image)
        for animal in animals:
            item = _labelled(image, size, animal, names, values)
            if item.visible.any():
                items.append(item)
    return Labels(path.resolve().parent.name or 'object', names, (), items)


def _image(index: Sequence[str]) -> str:
    """An image's path in its video's folder; the index is its path, in one column or three."""
    parts = PurePosixPath('/'.join(filter(None, index)).replace('\\', '/')).parts
    if not parts:
        raise ValueError('no image is named')
    return '/'.join(parts[2:] if parts[0] == ROOT and len(parts) > 2 else parts)


def _labelled(
    image: str,
    size: tuple[int, int] | None,
    animal: str,
    names: Sequence[str],
    values: dict[tuple[str, str, str], float],
) -> Labelled:
    points = [
        (values.get((animal, name, 'x'), math.nan), values.get((animal, name, 'y'), math.nan))
        for name in names
    ]
    visible = [math.isfinite(x) and math.isfinite(y) for x, y in points]
    confidence = None
    if any((animal, name, 'likelihood') in values for name in names):
        likelihoods = [values.get((animal, name, 'likelihood'), 0.0) for name in names]
        confidence = [value if math.isfinite(value) else 0.0 for value in likelihoods]
    return Labelled(image, size, points, visible, None, confidence)


def write(labels: Labels, path: str | Path, scorer: str = 'fmmp') -> None:
    """Write labels; with confidences, likelihoods, as DeepLabCut's predictions have them.

    Several objects in an image make it a multi-animal file.

    Args:
        labels: what to write.
        path: the CSV file; its folder is that of the images, which DeepLabCut calls a video.
        scorer: who labelled.
    """
    path = Path(path)
    images = labels.images()
    most = max(map(len, images.values()), default=1)
    predicted = any(item.confidence is not None for item in labels.items)
    coords = ('x', 'y', 'likelihood') if predicted else ('x', 'y')
    columns = [
        (scorer, f'individual{number + 1}', name, coord)
        for number in range(most)
        for name in labels.names
        for coord in coords
    ]
    used = [level for level in LEVELS if level != 'individuals' or most > 1]
    table = [
        [level, '', '', *(column[LEVELS.index(level)] for column in columns)] for level in used
    ]
    for image, items in images.items():
        row = [ROOT, path.resolve().parent.name, image]
        for number in range(most):
            row += _cells(items[number] if number < len(items) else None, labels, predicted)
        table.append(row)
    text = io.StringIO(newline='')
    csv.writer(text, lineterminator='\n').writerows(table)
    with atomic_path(path) as scratch:
        scratch.write_text(text.getvalue(), encoding='utf-8')


def _cells(item: Labelled | None, labels: Labels, predicted: bool) -> list[object]:
    cells = []
    for number in range(len(labels.names)):
        if item is None or not item.visible[number]:
            cells += [''] * (2 + predicted)
            continue
        cells += item.keypoints[number].tolist()
        if predicted:
            cells.append(1.0 if item.confidence is None else float(item.confidence[number]))
    return cells
