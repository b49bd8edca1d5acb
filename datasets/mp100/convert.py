"""Annotations of one's own, COCO keypoints or labelme, to new categories in the unified form."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PureWindowsPath

from PIL import Image

from fmmp.errors import InputError

from ..category_names import CategoryNames
from ..coco import json_files, read_coco, read_json, stays_inside
from .categories import format_rows, repair_categories
from .links import Base, Links

LAST_OF_MP100 = 100  # ids up to here mean MP-100's categories in its splits
MARGIN = 0.1  # added on each side to a box drawn around keypoints alone


@dataclass
class Converted:
    """One new category: its entry, its images by path, its annotations by image path."""

    source: Path
    category: dict
    images: dict[str, dict] = field(default_factory=dict)
    annotations: list[tuple[str, dict]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def convert(
    inputs: Sequence[str | Path],
    add_to: str | Path | None = None,
    images_from: str | Path | None = None,
    links: Mapping[str, Links] | None = None,
    infer: bool = False,
) -> tuple[dict, dict[str, Path], dict]:
    """Make new categories out of annotations of one's own.

    Their ids go on from 101, or from the highest of the file to add to. An image's path begins with
    its category's name, as in MP-100.

    Args:
        inputs: COCO keypoint files, whose every annotated category becomes one; and folders of
            labelme files, each one category.
        add_to: a unified annotation file that the new categories join.
        images_from: folder of the images; unless given, that of the COCO file or the labelme files.
        links: 0-based links by category name, for categories without any.
        infer: link categories that still have none by their mean shape.

    Returns:
        The unified content; the folder of each new category's images; and a report.

    Raises:
        FileNotFoundError: an input is missing.
        ValueError: an input is not what it should be, or a category's name is taken.
    """
    content = {'info': {}, 'images': [], 'annotations': [], 'categories': []}
    if add_to is not None:
        content = read_coco(add_to)
    present = CategoryNames(content)
    converted, orders = [], {}
    folder = None if images_from is None else Path(images_from)
    for source in map(Path, inputs):
        if source.is_dir():
            converted.append(_read_labelme(source, folder, orders))
        else:
            converted += _read_coco_keypoints(source, folder)
    _name(converted, {*present.shown.values(), *present.original.values()}, add_to)

    first = {name: _highest(content[name]) + 1 for name in ('images', 'annotations')}
    category_id = max(LAST_OF_MP100, _highest(content['categories']))
    images, annotations, folders = [], [], {}
    for item in converted:
        category_id += 1
        item.category['id'] = category_id
        name = item.category['name']
        folders[name] = Path(images_from) if images_from else _folder_of(item.source)
        _note_missing_images(item, folders[name])
        ids = {}
        for path, image in item.images.items():
            ids[path] = first['images'] + len(images)
            images.append({'id': ids[path], 'file_name': f'{name}/{path}', **image})
        for path, annotation in item.annotations:
            number = first['annotations'] + len(annotations)
            annotations.append(
                {'id': number, 'image_id': ids[path], 'category_id': category_id, **annotation}
            )
    categories = [item.category for item in converted]
    coco = Base(1, "COCO's convention")
    new = {'images': images, 'annotations': annotations, 'categories': categories}
    rows = repair_categories(new, lambda *_: coco, links, infer)
    for row, item in zip(rows, converted, strict=True):
        row['notes'] += item.notes
        row['source'] = str(item.source)
    content = content | {name: content[name] + entries for name, entries in new.items()}
    return content, folders, {'categories': rows}


def _folder_of(source: Path) -> Path:
    return source if source.is_dir() else source.parent


def _note_missing_images(item: Converted, folder: Path) -> None:
    missing = [path for path in item.images if not (folder / path).is_file()]
    if missing:
        item.notes.append(
            f'{len(missing)} of {len(item.images)} images, such as {missing[0]}, are not in '
            f'{folder}: --images-from names another folder'
        )


def _highest(entries: Sequence[dict]) -> int:
    return max((entry['id'] for entry in entries if isinstance(entry.get('id'), int)), default=0)


def _name(converted: Sequence[Converted], taken: set[str], add_to: str | Path | None) -> None:
    """Name categories that several files call the same by their files; see to clashes."""
    by_name = defaultdict(list)
    for item in converted:
        by_name[item.category['name']].append(item)
    for name, items in by_name.items():
        if len(items) > 1:
            for item in items:
                item.category['name'] = item.source.stem
                item.notes.append(f'named by its file, since several files call theirs {name!r}')
    for item in converted:
        name = item.category['name']
        if name in taken:
            where = f'{add_to} or a file before' if add_to else 'a file before'
            raise InputError(
                f'{item.source}: {where} has a category {name!r}: give it another name'
            )
        if not isinstance(name, str) or PureWindowsPath(name).name != name or name in ('', '..'):
            raise InputError(f'{item.source}: the name {name!r} cannot be that of a folder')
        taken.add(name)


def _read_coco_keypoints(file: Path, images_from: Path | None) -> list[Converted]:
    """Read every category of a COCO file that has annotated keypoints."""
    content = read_coco(file)
    images = {image['id']: image for image in content['images']}
    names = CategoryNames(content).shown
    result = {
        entry['id']: Converted(
            file, {**entry, 'name': names[entry['id']], 'skeleton': entry.get('skeleton') or []}
        )
        for entry in content['categories']
    }
    for item in result.values():
        if not isinstance(item.category['skeleton'], list):
            raise InputError(f'{file}: category {item.category["name"]!r}: the skeleton is no list')
    skipped = 0
    for annotation in content['annotations']:
        image = images.get(annotation['image_id'])
        item = result.get(annotation['category_id'])
        if image is None or item is None or not annotation.get('keypoints'):
            skipped += 1
            continue
        path = image['file_name']
        if not stays_inside(path):
            raise InputError(
                f'{file}: image {image["id"]} has the file_name {path!r}: paths must be relative '
                'to the image folder and stay inside it'
            )
        item.images[path] = {'width': image['width'], 'height': image['height']}
        kept = {k: v for k, v in annotation.items() if k not in ('id', 'image_id', 'category_id')}
        item.annotations.append((path, kept))
    converted = [item for item in result.values() if item.annotations]
    if not converted:
        raise InputError(f'{file}: no annotation has keypoints')
    if skipped:
        converted[0].notes.append(f'{skipped} annotations of the file have no keypoints or image')
    return converted


def _read_labelme(
    folder: Path, images_from: Path | None, orders: dict[frozenset[str], list[str]]
) -> Converted:
    """Read a folder of labelme files as one category, named as the folder.

    Points are keypoints, named by their labels; a rectangle or polygon of the same group is the
    object's box. ``orders`` remembers the order of each set of labels, so that folders of the same
    labels have the same keypoints.
    """
    files = json_files(folder)
    if not files:
        raise FileNotFoundError(f'{folder}: there is no labelme file (*.json) in this folder')
    item = Converted(folder, {'name': folder.resolve().name, 'supercategory': '', 'skeleton': []})
    objects, drawn = [], 0
    for file in files:
        path, size, shapes = _read_labelme_file(file, images_from or folder)
        item.images[path] = dict(zip(('width', 'height'), size, strict=True))
        for points, box in _labelme_objects(file, shapes):
            drawn += box is None
            objects.append((path, points, box))
    if not objects:
        raise InputError(f'{folder}: no file has a point')
    names = list(dict.fromkeys(name for _, points, _ in objects for name in points))
    names = orders.setdefault(frozenset(names), names)
    item.category['keypoints'] = names
    for path, points, box in objects:
        x, y, w, h = box or _box_around(list(points.values()), MARGIN)
        values = [v for name in names for v in (*points.get(name, (0, 0)), 2 * (name in points))]
        item.annotations.append(
            (
                path,
                {
                    'bbox': [x, y, w, h],
                    'area': w * h,
                    'iscrowd': 0,
                    'keypoints': values,
                    'num_keypoints': len(points),
                },
            )
        )
    item.notes.append(f'keypoints in order of their appearance: {", ".join(names)}')
    if drawn:
        item.notes.append(
            f'{drawn} objects have no rectangle or polygon: their boxes are drawn around their '
            f'keypoints, {MARGIN:.0%} larger on each side'
        )
    return item


def _read_labelme_file(file: Path, folder: Path) -> tuple[str, tuple[int, int], list[dict]]:
    """Return the image's path in the folder, its width and height, and the shapes."""
    content = read_json(file, 'labelme file')
    if not isinstance(content, dict) or not isinstance(content.get('shapes'), list):
        raise InputError(f"{file}: not of labelme: there is no list 'shapes'")
    path = PureWindowsPath(str(content.get('imagePath', ''))).name  # knows both kinds of slash
    size = content.get('imageWidth'), content.get('imageHeight')
    if not all(isinstance(side, int) for side in size):
        try:
            with Image.open(folder / path) as image:
                size = image.size
        except Exception as error:
            raise InputError(
                f'{file}: says no imageWidth and imageHeight, and the image {folder / path} '
                f'cannot be read: {error}'
            ) from error
    return path, size, content['shapes']


def _labelme_objects(
    file: Path, shapes: list[dict]
) -> Iterator[tuple[dict[str, tuple[float, float]], tuple[float, ...] | None]]:
    """Yield each group's keypoints by name, and its box if one is drawn."""
    groups = defaultdict(lambda: ({}, []))
    for shape in shapes:
        try:
            kind, label, group = shape.get('shape_type'), shape['label'], shape.get('group_id')
            corners = [(float(x), float(y)) for x, y in shape['points']]
            if (kind == 'point' and len(corners) != 1) or not isinstance(label, str):
                raise ValueError
            hash(group)  # a TypeError for a list
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise InputError(f'{file}: a shape has no label and points x, y: {shape!r}') from error
        points, outline = groups[group]
        if kind == 'point':
            if label in points:
                raise InputError(
                    f'{file}: one object has two points {label!r}: give objects different group_ids'
                )
            points[label] = corners[0]
        elif kind in ('rectangle', 'polygon'):
            outline += corners
    for points, outline in groups.values():
        if points:
            yield points, _box_around(outline) if outline else None


def _box_around(points: Sequence[tuple[float, float]], margin: float = 0.0) -> tuple[float, ...]:
    """Return x, y, width, height around points, larger on each side by a share of its size."""
    xs, ys = zip(*points, strict=True)
    w, h = max(xs) - min(xs), max(ys) - min(ys)
    border = margin * max(w, h, 1)
    return min(xs) - border, min(ys) - border, w + 2 * border, h + 2 * border


def format_report(report: dict) -> str:
    """Say in lines what the new categories are."""
    return '\n'.join(format_rows(report['categories']))
