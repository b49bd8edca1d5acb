"""Reading and writing files of any format, told by what is in them."""

from __future__ import annotations

import inspect
from importlib import import_module
from pathlib import Path
from types import ModuleType

from fmmp.datasets.coco import read_json
from fmmp.errors import InputError, did_you_mean

from .labels import Labels

FORMATS = {
    'coco': 'COCO keypoints, a JSON file',
    'coco_results': 'COCO keypoint results, a JSON file beside an annotation file',
    'ultralytics': 'Ultralytics pose, a folder of data.yaml and a text file an image',
    'labelme': 'labelme, a folder of a JSON file an image',
    'cvat': 'CVAT for images 1.1, an XML file',
    'label_studio': 'Label Studio, a JSON file of tasks',
    'deeplabcut': 'DeepLabCut, a CSV file',
    'sleap': 'SLEAP, an .slp file',
    'nwb': 'Neurodata Without Borders with ndx-pose, an .nwb file',
}
"""What the formats are, by the names of the modules whose ``read`` and ``write`` each has."""


def read(path: str | Path, format: str | None = None, **options: object) -> Labels:
    """Read keypoints of one category.

    Args:
        path: a file, or a folder of labelme's or Ultralytics' files.
        format: one of `FORMATS`; unless given, told by the content.
        options: of the format's own ``read``: ``category`` where a file has several, ``images``,
            the folder of the images, where a format does not state their sizes, ``annotations`` of
            COCO results.

    Raises:
        FileNotFoundError: there is no such file.
        InputError: the file is not of the format; the message names it and the way out.
    """
    path = Path(path)
    if not path.exists():
        raise FileNotFoundError(f'{path}: there is no such file or folder')
    module = module_of(recognise(path) if format is None else format)
    options = _known(options, module.read)
    try:
        labels = module.read(path, **options)
    except InputError as error:  # of an object, which knows its image alone
        raise error if str(path) in str(error) else InputError(f'{path}: {error}') from error
    labels.check(path)
    return labels


def write(labels: Labels, path: str | Path, format: str, **options: object) -> None:
    """Write keypoints; a file is there whole or not at all.

    Args:
        labels: what to write.
        path: the file, or the folder of labelme's or Ultralytics' files.
        format: one of `FORMATS`.
        options: of the format's own ``write``.

    Raises:
        InputError: the labels lack what the format states, or do not fit together.
    """
    module = module_of(format)
    labels.check(path)
    module.write(labels, Path(path), **_known(options, module.write))


def recognise(path: str | Path) -> str:
    """The format of a file or folder.

    Raises:
        InputError: it is none of `FORMATS`.
    """
    path = Path(path)
    if path.is_dir():
        if any(path.glob('*.yaml')):
            return 'ultralytics'
        if any(path.rglob('*.json')):
            return 'labelme'
    suffixes = {
        '.yaml': 'ultralytics',
        '.yml': 'ultralytics',
        '.xml': 'cvat',
        '.csv': 'deeplabcut',
        '.slp': 'sleap',
        '.nwb': 'nwb',
    }
    if path.suffix.lower() in suffixes:
        return suffixes[path.suffix.lower()]
    if path.suffix.lower() == '.json':
        content = read_json(path, 'file')
        first = content[0] if isinstance(content, list) and content else content
        keys = set(first) if isinstance(first, dict) else set()
        if isinstance(content, dict):
            if {'images', 'annotations', 'categories'} <= keys:
                return 'coco'
            if 'shapes' in keys:
                return 'labelme'
        elif {'image_id', 'keypoints'} <= keys:
            return 'coco_results'
        elif 'data' in keys:
            return 'label_studio'
    raise InputError(f'{path}: of no known format: name it, one of {", ".join(FORMATS)}')


def module_of(name: str) -> ModuleType:
    """The module of a format.

    Raises:
        InputError: there is no such format.
    """
    if name not in FORMATS:
        raise InputError(f'there is no format {name!r}: {did_you_mean(name, FORMATS)}')
    return import_module(f'{__package__}.{name}')


def _known(options: dict[str, object], function: object) -> dict[str, object]:
    """The options that are given, if the function takes them."""
    given = {name: value for name, value in options.items() if value is not None}
    for name in given.keys() - inspect.signature(function).parameters.keys():
        raise InputError(f'{function.__module__.split(".")[-1]} files take no {name!r}')
    return given
