"""Walk with MP-100's own annotation files all the way that docs/mp100.md describes, without images.

    python benchmarks/mp100_files.py FOLDER [--json FILE]

FOLDER holds ``mp100_split{1..5}_{train,val,test}.json``, any of them, plain or with ``.gz``. Each
split's files, and then all together, are unified, counted, checked against stand-ins of their
images, and prepared in a dry run from a made-up tree of the thirteen sources; the files are also
read as they are and by configs/_base_/datasets/mp100_split_files.py. A stand-in is black and has
the annotated size; the fly's and the locust's files of frames need h5py. A line a set says what
came of it and how many seconds it took; a line that begins with ``!`` names what ought not to be.
The exit status is 1 if there is one.
"""

from __future__ import annotations

import argparse
import gzip
import os
import sys
import tempfile
import time
import warnings
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path

import h5py
import yaml
from fmmp.datasets import load_annotations, split_categories  # not found? bash install.sh
from fmmp.datasets.category_names import CategoryNames
from fmmp.datasets.coco import read_coco
from fmmp.datasets.evaluation import TestEpisodes
from fmmp.datasets.mp100.check import check
from fmmp.datasets.mp100.local_copies import read_sources
from fmmp.datasets.mp100.prepare import prepare
from fmmp.datasets.mp100.sources import Source, sources
from fmmp.datasets.mp100.stats import stats
from fmmp.datasets.mp100.unify import SPLIT_FILE, unify
from mmcv import Config
from PIL import Image

from fmmp.apis.data import build_dataset
from fmmp.files import write_json

CONFIG = Path(__file__).parents[1] / 'configs/_base_/datasets/mp100_split_files.py'
COLUMNS = (
    'files', 'categories', 'images', 'annotations', 'instances', 'usable', 'prepared', 'renamed',
    'without_links', 'test_pairs', 'left_out', 'unify_s', 'stats_s', 'check_s', 'prepare_s',
)  # fmt: skip


def find_files(folder: Path, scratch: Path) -> dict[str, list[Path]]:
    """Return the split files by split, and all as ``all``; unpack those that are packed."""
    found = defaultdict(list)
    for path in sorted(folder.iterdir()):
        name = path.name.removesuffix('.gz')
        if match := SPLIT_FILE.fullmatch(name):
            if path.suffix == '.gz':
                unpacked = scratch / name
                unpacked.write_bytes(gzip.decompress(path.read_bytes()))
                path = unpacked
            found[f'split{match[1]}'].append(path)
    found['all'] = [path for paths in list(found.values()) for path in paths]
    return found


def draw_stand_ins(images: Iterable[dict], folder: Path) -> None:
    """Give every image a black stand-in of its size; those of one size share a file."""
    of_size = {}
    for image in images:
        path = folder / image['file_name']
        path.parent.mkdir(parents=True, exist_ok=True)
        size = image['width'], image['height']
        if size in of_size:
            os.link(of_size[size], path)
        else:
            Image.new('1', size).save(path, 'PNG')
            of_size[size] = path


def make_up_sources(content: dict, folder: Path) -> Path:
    """Lay out empty images as the thirteen sources have them; return a sources.yml that fits."""
    of_folder = defaultdict(dict)
    for image in content['images']:
        category, _, inner = image['file_name'].partition('/')
        of_folder[category][inner] = image
    copies = {}
    for source in sources().values():
        root = folder / source.name
        images = {name: of_folder[name] for name in source.categories}
        paths = [path for name in images for path in _paths(source, name, images[name])]
        for path in paths:
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).touch()
        root.mkdir(parents=True, exist_ok=True)
        copies[source.name] = source.name  # relative to sources.yml
        if source.layout == 'frames':
            [found] = images.values()
            width, height = next(((x['width'], x['height']) for x in found.values()), (1, 1))
            with h5py.File(root / 'annotation_data_release.h5', 'w') as file:
                file.create_dataset('images', (1500, height, width, 1), 'uint8', chunks=True)
        elif source.layout == 'classes':
            for name in (name for names in source.classes.values() for name in names):
                (root / name).mkdir(exist_ok=True)
        elif source.layout == 'matched':
            write_json(_renamed(content, source), root / 'own.json')
            own = f'{source.name}/own.json'
            copies[source.name] = {'images': source.name, 'annotations': own}
    (folder / 'sources.yml').write_text(yaml.safe_dump(copies))
    return folder / 'sources.yml'


def _paths(source: Source, category: str, images: dict[str, dict]) -> Iterator[str]:
    """Where a source keeps a category's images."""
    for inner, image in images.items():
        if source.layout == 'matched':
            yield f'own/{image["id"]}.jpg'
        elif source.layout == 'classes':
            fits = [x for x in source.classes[category] if _is_of_class(inner, x)]
            yield f'{max(fits, key=len, default="elsewhere")}/{inner}'
        elif source.name == 'Keypoint-5':
            yield f'{category}/images/{inner}'
        elif source.layout == 'folder':
            yield inner


def _is_of_class(name: str, bird: str) -> bool:
    """Whether Belted_Kingfisher_0006_70625.jpg is of 079.Belted_Kingfisher, whatever the case."""
    return name.lower().startswith(bird.partition('.')[2].lower() + '_')


def _renamed(content: dict, source: Source) -> dict:
    """The part of a unified file that is a source's, its images named as the source's own."""
    images = [x for x in content['images'] if x['file_name'].split('/')[0] in source.classes]
    ids = {image['id'] for image in images}
    return {
        'images': [{**x, 'file_name': f'own/{x["id"]}.jpg'} for x in images],
        'annotations': [x for x in content['annotations'] if x['image_id'] in ids],
        'categories': content['categories'],
    }


def walk(name: str, files: list[Path], scratch: Path, wrong: list[str]) -> dict:
    """Walk the whole way with a set of files; return its line of the table."""
    row = {'set': name, 'files': len(files)}

    def timed(step: str, function: object, *args: object, **options: object) -> object:
        start = time.perf_counter()
        result = function(*args, **options)
        row[f'{step}_s'] = time.perf_counter() - start
        return result

    content, _ = unify(files)
    row['without_links'] = sum(not x['skeleton'] for x in content['categories'])
    content, report = timed('unify', unify, files, infer=True)  # links, or check finds none usable
    again, _ = _unify_content(content, scratch)
    if any(again[x] != content[x] for x in ('images', 'annotations', 'categories')):
        wrong.append(f'{name}: the unified file does not unify to itself')
    names = CategoryNames(content)
    row |= {key: len(content[key]) for key in ('categories', 'images', 'annotations')}
    row['renamed'] = sum(names.shown[x] != names.original[x] for x in names.shown)
    for note in report['notes']:
        print(f'{name}: {note}')

    unified = scratch / 'unified.json'
    counts = timed('stats', stats, unified)
    row['instances'] = counts['total']['instances']
    for entry in counts['categories']:
        if not entry['source'] or not all(entry[f'split{n}'] for n in range(1, 6)):
            wrong.append(f'{name}: {entry["name"]} ({entry["id"]}) lacks its source or a split')

    draw_stand_ins(content['images'], scratch / 'images')
    checked, usable = timed('check', check, unified, scratch / 'images')
    row['usable'] = len(usable['annotations'])
    if checked['broken_images'] or row['usable'] != row['instances']:
        wrong.append(f'{name}: {row["usable"]} usable of {row["instances"]} instances')

    copies = read_sources(make_up_sources(content, scratch / 'sources'))
    prepared = timed('prepare', prepare, copies, scratch / 'out', unified, dry_run=True)
    row['prepared'] = 0
    for entry in prepared['categories']:
        row['prepared'] += (entry['annotated'] or 0) - len(entry['missing'])
        if entry['missing']:
            first, why = next(iter(entry['missing'].items()))
            wrong.append(f'{name}: {entry["name"]}/{first} is not prepared: {why}')
    return row | as_they_are(name, files, unified, names, wrong)


def _unify_content(content: dict, scratch: Path) -> tuple[dict, dict]:
    write_json(content, scratch / 'unified.json')
    return unify([scratch / 'unified.json'])


def as_they_are(
    name: str, files: list[Path], unified: Path, names: CategoryNames, wrong: list[str]
) -> dict[str, int]:
    """Read the files as they are, and by the config for them; return what tests would have.

    A test on the unified file of one split must have the episodes of a test on the split's file.
    """
    pairs, left_out = 0, []
    for file in files:
        split, subset = SPLIT_FILE.fullmatch(file.name).groups()
        ids = [entry['id'] for entry in read_coco(file)['categories']]
        if sorted(ids) != sorted(split_categories(int(split), subset)):
            wrong.append(f'{file.name}: its categories are not those of split {split}, {subset}')
        categories, _ = load_annotations(file, None, None, True, skeleton_base='mp100')
        for id_, category in categories.items():
            if category.name != names.shown[id_]:
                wrong.append(f'{file.name}: {category.name} is {names.shown[id_]} when unified')
        if name == 'all' or subset == 'train':
            continue
        dataset = _data_set(subset, file, int(split))
        if _episodes(dataset) != _episodes(_data_set(subset, unified, int(split))):
            wrong.append(f'{file.name}: its episodes are others than on the unified file')
        pairs += len(dataset.pairs) if subset == 'test' else 0
        left_out += dataset.left_out
    return {'test_pairs': pairs, 'left_out': len(left_out)}


def _data_set(subset: str, file: Path, split: int) -> TestEpisodes:
    config = Config.fromfile(str(CONFIG))
    settings = config.data[subset]
    settings.update(
        ann_file=str(file),
        valid_class_ids=dict(split=split, subset=subset),
        allow_missing=True,
        skeleton_base='mp100' if SPLIT_FILE.fullmatch(file.name) else 0,
    )
    settings.data_cfg.padding = 'zero'  # most have no links
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')  # the table says what is left out
        return build_dataset(config, subset)


def _episodes(dataset: TestEpisodes) -> list[tuple[tuple[str, tuple[float, ...]], ...]]:
    """What each pair is of: the image and the box of the supports and the query."""
    of = {number: (x.image, x.box) for number, x in dataset.instances.items()}
    return [tuple(of[number] for number in pair) for pair in dataset.pairs]


def main() -> None:
    """Walk with every set, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('folder', type=Path, help="folder of MP-100's annotation files")
    parser.add_argument('--json', type=Path, metavar='FILE', help='write the table, too')
    args = parser.parse_args()
    rows, wrong = [], []
    with tempfile.TemporaryDirectory() as unpacked:
        sets = find_files(args.folder, Path(unpacked))
        if not sets['all']:
            sys.exit(f'error: {args.folder}: there is no file such as mp100_split1_val.json')
        for name, files in sets.items():
            with tempfile.TemporaryDirectory() as scratch:
                rows.append(walk(name, files, Path(scratch), wrong))
    print('\n| set | ' + ' | '.join(COLUMNS) + ' |')
    print('|---' * (1 + len(COLUMNS)) + '|')
    for row in rows:
        cells = (row[x] if isinstance(row[x], int) else f'{row[x]:.1f}' for x in COLUMNS)
        print(f'| {row["set"]} | ' + ' | '.join(map(str, cells)) + ' |')
    for line in wrong:
        print(f'! {line}')
    if args.json:
        write_json({'sets': rows, 'wrong': wrong}, args.json)
    sys.exit(bool(wrong))


if __name__ == '__main__':
    main()
