"""Many annotation files to one: all categories, ids without clashes, 0-based skeletons."""

import heapq
import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from fmmp.errors import InputError

from ..category_names import CategoryNames
from ..coco import read_coco, stays_inside
from .categories import format_rows, repair_categories
from .links import Links, base_by_convention
from .oddities import count_oddities

SPLIT_FILE = re.compile(r'mp100_split([1-5])_(train|val|test)\.json$')


def find_annotation_files(folder: str | Path, but: str | Path | None = None) -> list[Path]:
    """List a folder's annotation files to be unified.

    Where the three files of one of MP-100's splits are all there, it is those of the first such
    split: they hold every category, as the other splits' do. Else it is every JSON file.

    Args:
        folder: the folder.
        but: a file to leave out, such as the result of an earlier time.

    Raises:
        FileNotFoundError: there is no such folder, or no JSON file in it.
    """
    folder = Path(folder)
    files = sorted(path for path in folder.glob('*.json') if path.is_file())
    if but is not None:
        files = [path for path in files if path.resolve() != Path(but).resolve()]
    if not files:
        raise FileNotFoundError(f'{folder}: there is no annotation file (*.json) in this folder')
    splits = defaultdict(list)
    for path in files:
        if found := SPLIT_FILE.fullmatch(path.name):
            splits[found[1]].append(path)
    complete = [split for split, paths in sorted(splits.items()) if len(paths) == 3]
    return splits[complete[0]] if complete else files


def unify(
    files: Sequence[str | Path],
    links: Mapping[str, Links] | None = None,
    infer: bool = False,
) -> tuple[dict, dict]:
    """Merge annotation files into one.

    What several files hold counts once. Every file's order of images is kept, so evaluation draws
    the same episodes of a category as from its own file.

    Args:
        files: COCO-style annotation files.
        links: 0-based links by category name or id, for categories without any.
        infer: link categories that still have none by a minimum spanning tree over their mean
            shape.

    Returns:
        The unified content, and a report of what was decided, repaired and left open.

    Raises:
        FileNotFoundError: a file is missing.
        ValueError: a file is not COCO-style, a path leaves the image folder, or the files
            contradict one another; the message lists everything found.
    """
    contents = [(Path(file).name, read_coco(file)) for file in files]
    names = [name for name, _ in contents]
    annotates = [{x['category_id'] for x in content['annotations']} for _, content in contents]
    problems, notes = [], []
    images = _merge_images(contents, problems, notes)
    categories = _merge_categories(contents, problems)
    if problems:
        raise InputError(f'the annotation files cannot be unified: {"; ".join(problems)}')
    _number(images, notes)

    content = {
        'info': {'description': f'unified from {", ".join(names)}'},
        'images': [image['entry'] for image in images],
        'annotations': [x for image in images for x in image['annotations']],
        'categories': categories,
    }
    rows = repair_categories(content, base_by_convention, links, infer)
    for row in rows:
        row['files'] = [
            name for name, annotated in zip(names, annotates, strict=True) if row['id'] in annotated
        ]
    notes += count_oddities(content['annotations'], {x['id']: x for x in content['images']})
    report = {
        'files': [str(file) for file in files],
        'images': len(images),
        'annotations': len(content['annotations']),
        'notes': notes,
        'categories': rows,
    }
    return content, report


def _merge_images(contents: list, problems: list[str], notes: list[str]) -> list[dict]:
    """Return ``{'entry', 'annotations', 'ids'}`` an image, once a path, all files' together."""
    merged = {}
    shared = 0
    streams = [list(_images_of(name, content, problems, notes)) for name, content in contents]
    # Takes the file whose next image has the smallest category, and so keeps each file's order.
    for _, name, entry, annotations in heapq.merge(*streams, key=lambda item: item[0]):
        path = entry['file_name']
        image = merged.setdefault(
            path,
            {'entry': dict(entry), 'annotations': [], 'ids': [], 'file': name, 'seen': Counter()},
        )
        first = image['entry']
        if (entry['width'], entry['height']) != (first['width'], first['height']):
            problems.append(
                f'{path} is {first["width"]} x {first["height"]} in {image["file"]} and '
                f'{entry["width"]} x {entry["height"]} in {name}: correct the wrong one'
            )
        image['ids'].append(entry['id'])
        # An object of an earlier file; one that a single file lists twice stays two.
        here = Counter()
        for annotation in annotations:
            key = _content_of(annotation)
            here[key] += 1
            if here[key] > image['seen'][key]:
                image['annotations'].append(dict(annotation))
            else:
                shared += 1
        image['seen'] |= here
    if shared:
        notes.append(f'{shared} annotations that several files share are taken once')
    return list(merged.values())


def _images_of(
    name: str, content: dict, problems: list[str], notes: list[str]
) -> Iterator[tuple[int, str, dict, list[dict]]]:
    """Yield each image of a file: the sorting key, the file, the entry and its annotations."""
    entries = {}
    for entry in content['images']:
        if not stays_inside(entry['file_name']):
            problems.append(
                f'{name}: image {entry["id"]} has the file_name {entry["file_name"]!r}: paths must '
                'be relative to the image folder and stay inside it'
            )
        elif (first := entries.setdefault(entry['id'], entry)) is not entry:
            if first['file_name'] != entry['file_name']:
                problems.append(
                    f'{name}: the id {entry["id"]} is that of {first["file_name"]} and of '
                    f'{entry["file_name"]}: no telling whose the annotations are'
                )
    known = {category['id'] for category in content['categories']}
    annotations = {id_: [] for id_ in entries}
    lost = Counter()
    for annotation in content['annotations']:
        if annotation['image_id'] not in annotations:
            lost['image'] += 1
        elif annotation['category_id'] not in known:
            lost['category'] += 1
        else:
            annotations[annotation['image_id']].append(annotation)
    for what, count in sorted(lost.items()):
        notes.append(f'{name}: {count} annotations dropped, whose {what} is not in the file')
    key = 0
    for id_, entry in entries.items():
        if annotations[id_]:
            key = annotations[id_][0]['category_id']
        yield key, name, entry, annotations[id_]


def _content_of(annotation: dict) -> str:
    """What an annotation says, whatever its ids."""
    content = {key: value for key, value in annotation.items() if key not in ('id', 'image_id')}
    return json.dumps(content, sort_keys=True)


def _merge_categories(contents: list, problems: list[str]) -> list[dict]:
    """Return one entry a category, sorted by id, from the files that annotate it if any do."""
    found = defaultdict(list)
    of_files = [CategoryNames(content) for _, content in contents]
    for (name, content), names in zip(contents, of_files, strict=True):
        annotated = {annotation['category_id'] for annotation in content['annotations']}
        for entry in content['categories']:
            found[entry['id']].append((entry['id'] not in annotated, name, entry, names))
    merged = []
    for id_, entries in sorted(found.items()):
        entries.sort(key=lambda item: item[0])
        _, file, entry, names = entries[0]
        entry = {**entry, 'skeleton': entry.get('skeleton') or []}
        if not isinstance(entry['skeleton'], list):
            problems.append(f'category {entry["name"]!r} ({id_}) in {file}: skeleton is no list')
        for _, other_file, other, other_names in entries[1:]:
            where = f'category {entry["name"]!r} ({id_}) in {file} and {other_file}'
            if not names.agree(other_names, id_):
                problems.append(f'{where}: there it is named {other["name"]!r}')
            points, other_points = entry.get('keypoints') or [], other.get('keypoints') or []
            shorter = min(len(points), len(other_points))
            if points[:shorter] != other_points[:shorter]:
                problems.append(f'{where}: the keypoints have different names')
            elif len(other_points) > len(points):
                entry['keypoints'] = other_points
            skeleton = other.get('skeleton') or []
            if not entry['skeleton']:
                entry['skeleton'] = skeleton
            elif skeleton not in ([], entry['skeleton']):
                problems.append(
                    f'{where}: the skeletons differ: keep the files of one set, such as the split '
                    'files or the re-annotated ones'
                )
        merged.append(entry)
    problems += _shared_names(merged, of_files)
    return merged


def _shared_names(merged: Sequence[dict], of_files: Sequence[CategoryNames]) -> Iterator[str]:
    """Name the categories of one name that no folder of their images tells apart."""
    of_name = defaultdict(list)
    for entry in merged:
        id_ = entry['id']
        known = [names for names in of_files if id_ in names.shown]
        folder = next((x.folders[id_] for x in known if x.folders[id_]), known[0].shown[id_])
        of_name[known[0].original[id_]].append((folder, id_))
    for name, found in of_name.items():
        if len({folder for folder, _ in found}) < len(found):
            ids = ' and '.join(str(id_) for _, id_ in found)
            yield f'category {name!r} has the ids {ids}, and no folders that tell them apart'


def _number(images: list[dict], notes: list[str]) -> None:
    """Keep the ids, or number anew from 1 where two images or annotations have the same one.

    So it is where one file's images have numbers and another's text.
    """
    ids = Counter(id_ for image in images for id_ in set(image['ids']))
    clashes = sum(count > 1 for count in ids.values())
    mixed = len({isinstance(id_, str) for id_ in ids}) > 1
    if clashes:
        notes.append(f'{clashes} image ids were of several images: all are numbered anew from 1')
    elif mixed:
        notes.append('image ids were numbers here and text there: all are numbered anew from 1')
    for number, image in enumerate(images, 1):
        image['entry']['id'] = number if clashes or mixed else image['ids'][0]
    annotations = [annotation for image in images for annotation in image['annotations']]
    ids = Counter(annotation.get('id') for annotation in annotations)
    clashes = sum(count > 1 or id_ is None for id_, count in ids.items())
    if clashes:
        notes.append(
            f'{clashes} annotation ids were of several or missing: all are numbered anew from 1'
        )
        for number, annotation in enumerate(annotations, 1):
            annotation['id'] = number
    for image in images:
        for annotation in image['annotations']:
            annotation['image_id'] = image['entry']['id']


def format_report(report: dict) -> str:
    """Say in lines what `unify` decided, repaired and left open."""
    lines = format_rows(report['categories'])
    lines += report['notes']
    splits = {match and match[1] for match in map(SPLIT_FILE.search, report['files'])}
    if len(splits) == 1 and (split := splits.pop()):
        lines.append(
            f"these are split {split}'s files, whose test file holds 100 of some 200 instances of "
            "a category: to test another split on its own instances, unify that split's files"
        )
    lines.append(
        f'{len(report["categories"])} categories, {report["images"]} images, '
        f'{report["annotations"]} annotations from {len(report["files"])} files'
    )
    return '\n'.join(lines)
