"""Ultralytics pose: a folder of ``data.yaml``, images, and a text file of objects an image.

A line of a text file is a class, a box (center, width, height) and ``kpt_shape`` numbers of
keypoints, all of them shares of the image's width and height. Names of keypoints (``kpt_names``,
a class, as Ultralytics has them) and our ``skeleton`` are in ``data.yaml``.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path, PurePosixPath

import numpy as np
import yaml

from fmmp.errors import InputError
from fmmp.files import atomic_path

from .labels import IMAGES, Labelled, Labels, choose, image_size, require_inside, require_sizes

SIDES = {'left': 'right', 'l': 'r', 'port': 'starboard'}


def read(path: str | Path, category: str | None = None, images: str | Path | None = None) -> Labels:
    """Read a data set, all its subsets.

    Args:
        path: its folder, or its YAML file.
        category: the category's name, if it has several.
        images: the folder of the images, if it is not where the YAML file says.

    Raises:
        InputError: a file is not of the form, or an image is missing.
    """
    file = _yaml_file(Path(path))
    content = _read_yaml(file)
    names, (count, numbers), keypoint_names, skeleton = _described(content, file)
    found = {name: Labels(name, keypoint_names[number], skeleton) for number, name in names.items()}
    root = _root(content, file)
    for subset in _subsets(content, root):
        listed = {}  # a folder's images by their stems: each folder is looked through once
        for folder, texts, text in _texts(subset):
            inside = Path(images) if images else folder
            image = _find_image(inside, text.relative_to(texts).with_suffix(''), text, listed)
            size = image_size(inside, image)
            if size is None:
                raise InputError(f'{text}: its image {inside / image} is not readable')
            for line, values in _rows(text, 5 + count * numbers):
                if values[0] not in names:
                    raise InputError(f'{text}, line {line}: {file} has no class {values[0]:g}')
                item = _labelled(image, size, values, numbers)
                found[names[int(values[0])]].items.append(item)
    return choose(found, category, file)


def _yaml_file(path: Path) -> Path:
    if path.is_file():
        return path
    files = sorted(path.glob('*.yaml'))
    if len(files) != 1 and path / 'data.yaml' not in files:
        raise InputError(f'{path}: there is no data.yaml in this folder')
    return path / 'data.yaml' if path / 'data.yaml' in files else files[0]


def _read_yaml(file: Path) -> dict:
    try:
        content = yaml.safe_load(file.read_text(encoding='utf-8'))
    except (OSError, UnicodeDecodeError, yaml.YAMLError, RecursionError) as error:
        raise InputError(f'{file}: not readable as YAML: {error}') from error
    if not isinstance(content, dict):
        raise InputError(f'{file}: not the data.yaml of Ultralytics: no mapping')
    return content


def _described(
    content: dict, file: Path
) -> tuple[dict[int, str], tuple[int, int], dict[int, list[str]], list[tuple[int, int]]]:
    """Classes by number, numbers of keypoints and of values each, classes' keypoints, links."""
    try:
        names = content['names']
        names = dict(enumerate(names)) if isinstance(names, list) else dict(names)
        names = {int(number): str(name) for number, name in names.items()}
        count, numbers = map(int, content['kpt_shape'])
        keypoint_names = _keypoint_names(content.get('kpt_names'), names, count)
        skeleton = [(int(i), int(j)) for i, j in content.get('skeleton') or ()]
        if count < 1 or numbers not in (2, 3):
            raise ValueError(f'kpt_shape {count}, {numbers}')
        for number, given in keypoint_names.items():
            if len(given) != count:
                raise ValueError(f'{count} keypoints, but {len(given)} names of class {number}')
    except (KeyError, OverflowError, TypeError, ValueError) as error:
        raise InputError(
            f"{file}: give 'names', 'kpt_shape: [keypoints, 2 or 3]' and, if wanted, a name a "
            f"keypoint in 'kpt_names' ({type(error).__name__}: {error})"
        ) from error
    return names, (count, numbers), keypoint_names, skeleton


def _keypoint_names(given: object, classes: Iterable[int], count: int) -> dict[int, list[str]]:
    """The names of each class's keypoints: its own, else the first class's, else numbers."""
    if not isinstance(given, dict):  # the same for all
        given = {'': given}
    given = {str(number): names for number, names in given.items()}
    first = next(iter(given.values()), None) or range(1, count + 1)
    return {number: list(map(str, given.get(str(number)) or first)) for number in classes}


def _root(content: dict, file: Path) -> Path:
    """The folder that subsets are relative to: ``path``, itself relative to the file."""
    return file.parent / str(content.get('path') or '.')


def _subsets(content: dict, root: Path) -> list[Path]:
    """The subsets' folders of images, or lists of them, each once."""
    subsets = []
    for subset in ('train', 'val', 'test'):
        entry = content.get(subset) or []
        subsets += [root / str(one) for one in (entry if isinstance(entry, list) else [entry])]
    return list(dict.fromkeys(subsets))


def _texts(subset: Path) -> Iterator[tuple[Path, Path, Path]]:
    """A subset's text files, each after its folder of images and its folder of text files.

    A subset is a folder of images, or a text file of paths of images, relative to its own folder;
    those without a text file show no object. Subsets may be missing, as they are often not all
    kept.
    """
    if subset.suffix != '.txt':
        texts = _labels_of(subset)
        yield from ((subset, texts, text) for text in sorted(texts.rglob('*.txt')))
        return
    if not subset.exists():
        return
    try:
        lines = subset.read_text(encoding='utf-8').splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f'{subset}: not readable as a list of images: {error}') from error
    for line in filter(None, map(str.strip, lines)):
        image = subset.parent / line
        folder = _images_folder(image.parent) or image.parent
        texts = _labels_of(folder)
        text = (texts / image.relative_to(folder)).with_suffix('.txt')
        if text.is_file():
            yield folder, texts, text


def _images_folder(folder: Path) -> Path | None:
    """The innermost folder named ``images`` on the way to a folder, if there is one."""
    return next((one for one in (folder, *folder.parents) if one.name == 'images'), None)


def _labels_of(folder: Path) -> Path:
    """The folder of the text files: ``labels`` in place of the last ``images`` in the path."""
    images = _images_folder(folder)
    return images.with_name('labels') / folder.relative_to(images) if images else folder


def _find_image(folder: Path, stem: Path, text: Path, listed: dict[Path, dict[str, str]]) -> str:
    parent = folder / stem.parent
    if parent not in listed:
        paths = sorted(parent.iterdir(), reverse=True) if parent.is_dir() else ()
        listed[parent] = {path.stem: path.name for path in paths if path.suffix.lower() in IMAGES}
    if stem.name in listed[parent]:
        return (stem.parent / listed[parent][stem.name]).as_posix()
    raise InputError(
        f'{text}: its image is not in {parent}: coordinates are shares of its size; name the '
        'folder of the images (images=…, --images)'
    )


def _rows(text: Path, length: int) -> list[tuple[int, list[float]]]:
    rows = []
    lines = text.read_text(encoding='utf-8', errors='replace').splitlines()
    for number, line in enumerate(lines, start=1):
        try:
            values = list(map(float, line.split()))
            if values and (len(values) != length or not np.isfinite(values).all()):
                raise ValueError(f'{len(values)} numbers')
        except ValueError as error:
            raise InputError(
                f"{text}, line {number}: give {length} numbers, as data.yaml's kpt_shape says "
                f'({error})'
            ) from error
        if values:
            rows.append((number, values))
    return rows


def _labelled(image: str, size: tuple[int, int], values: Sequence[float], numbers: int) -> Labelled:
    height, width = size
    x, y, w, h = values[1:5]
    table = np.reshape(values[5:], (-1, numbers))
    visible = table.any(axis=1) * 2 if numbers == 2 else np.clip(table[:, 2].round(), 0, 2)
    box = (x - w / 2) * width, (y - h / 2) * height, w * width, h * height
    return Labelled(image, size, table[:, :2] * (width, height), visible, box)


def write(labels: Labels, path: str | Path, images: str | Path | None = None) -> None:
    """Write a data set of one subset, ``train``, which validates, too, unless changed.

    Coordinates out of the image are none to Ultralytics: boxes are clipped, and keypoints out of
    it count as not labelled.

    Args:
        labels: what to write.
        path: its folder.
        images: the folder of the images, which are linked (or copied) into ``images/train``; else
            put them there.

    Raises:
        InputError: the size of an image is not known, or its path leads out of the folder.
        FileNotFoundError: an image is not in its folder.
    """
    require_sizes(labels, path)
    require_inside(labels, path)
    folder = Path(path)
    texts = {}
    for name, items in labels.images().items():
        text = PurePosixPath(name.replace('\\', '/')).with_suffix('.txt')
        if other := texts.get(text):
            raise InputError(f'{path}: {name} and {other[0]} would share {text}: rename one')
        texts[text] = name, items
    for text, (_, items) in texts.items():
        with atomic_path(folder / 'labels' / 'train' / text) as scratch:
            scratch.write_text(''.join(map(_line, items)), encoding='utf-8')
    if images is not None:
        for name in labels.images():
            _bring(Path(images, name), folder / 'images' / 'train' / name)
    content = {
        'train': 'images/train',
        'val': 'images/train',
        'names': {0: labels.category},
        'kpt_shape': [len(labels.names), 3],
        'flip_idx': flip_index(labels.names),
        'kpt_names': {0: list(labels.names)},
        'skeleton': [list(map(int, link)) for link in labels.skeleton],
    }
    with atomic_path(folder / 'data.yaml') as scratch:
        text = yaml.safe_dump(content, sort_keys=False, allow_unicode=True, default_flow_style=None)
        scratch.write_text(text, encoding='utf-8')


def _bring(source: Path, target: Path) -> None:
    """Have an image in another folder, too; Ultralytics would follow symbolic links."""
    if target.exists():
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(source, target)
    except FileNotFoundError:
        raise FileNotFoundError(f'{source}: there is no such image') from None
    except OSError:  # another disk, or one without links
        with atomic_path(target) as scratch:
            shutil.copyfile(source, scratch)


def _line(item: Labelled) -> str:
    height, width = item.size
    x, y, w, h = item.full_box
    left, right = np.clip((x / width, (x + w) / width), 0, 1)
    top, bottom = np.clip((y / height, (y + h) / height), 0, 1)
    points = item.keypoints / (width, height)
    inside = (points >= 0).all(axis=1) & (points <= 1).all(axis=1)
    visible = np.where(inside, item.visible, 0)
    points = np.where(visible[:, None] > 0, points, 0)
    values = [(left + right) / 2, (top + bottom) / 2, right - left, bottom - top]
    values += np.column_stack([points, visible]).ravel().tolist()
    return ' '.join(['0', *(f'{value:.10g}' for value in values)]) + '\n'


def flip_index(names: Sequence[str]) -> list[int]:
    """The keypoint that each one becomes in a mirrored image, told by left and right in names."""
    numbers = {name.lower(): number for number, name in enumerate(names)}
    both = SIDES | {right: left for left, right in SIDES.items()}
    result = []
    for number, name in enumerate(names):
        words = re.split(r'([^a-z]+|(?<=left)(?=[a-z])|(?<=right)(?=[a-z]))', name.lower())
        other = ''.join(both.get(word, word) for word in words if word)
        result.append(numbers.get(other, number))
    return [j if result[j] == i else i for i, j in enumerate(result)]
