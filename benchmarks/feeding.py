"""Training samples a second of one core: whole images, reduced decoding, and a shrunk copy.

Images of MP-100 are not to be had everywhere, so they are stand-ins: JPEGs of the sizes that
annotation files give, made of scikit-image's photographs, mirrored side by side at their own
resolution. Each has its annotation's box and keypoints.

    python benchmarks/feeding.py mp100_split*.json.gz [--images 150] [--side 304]

All kinds load the same samples in turn, in one process and one thread; the least processor time of
the rounds counts, which another process on the machine hardly changes. Reading comes from the
system's cache. Beside it stands what the kinds' crops differ by, as mean absolute difference in
levels of 255 and as PSNR, on which a network's input may depend.
"""

from __future__ import annotations

import argparse
import gzip
import json
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np
import torch
from fmmp.datasets.mp100.shrink import (  # not found? bash install.sh
    format_report,
    shrink,
)
from fmmp.datasets.mp100.shrunk_image import SUFFIXES
from fmmp.datasets.training import TrainEpisodes
from mmcv import Config
from skimage import data as photographs

from fmmp.analysis.loading import loading_times
from fmmp.analysis.tables import format_table
from fmmp.apis.data import build_dataset
from fmmp.files import write_json
from fmmp.memory import keep_freed_memory

ROOT = Path(__file__).resolve().parent.parent
CONFIG = ROOT / 'configs/fmmp/1shot/fmmp_r50_mp100_split1.py'
QUALITY = 90  # of the stand-ins


def read_annotations(path: Path) -> dict:
    """An annotation file, also a gzipped one."""
    opened = gzip.open if path.suffix == '.gz' else open
    with opened(path, 'rt', encoding='utf-8') as file:
        return json.load(file)


def chosen(files: list[Path], count: int) -> dict:
    """A number of the files' images, drawn at random, with their first objects as one category."""
    random = np.random.default_rng(0)
    first, found = {}, {}
    for content in map(read_annotations, files):
        for annotation in content['annotations']:
            if min(annotation['bbox'][2:]) > 0:
                first.setdefault(annotation['image_id'], annotation)
        found.update({x['id']: x for x in content['images'] if x['id'] in first})
    numbers = random.choice(len(found), min(count, len(found)), replace=False)
    images = [[*found.values()][number] for number in sorted(numbers)]
    annotations = []
    for image in images:
        x, y, w, h = first[image['id']]['bbox']
        points = random.uniform((x, y), (x + w, y + h), (17, 2)).round(2)
        keypoints = [float(v) for x, y in points for v in (x, y, 2)]
        own = {'keypoints': keypoints, 'num_keypoints': 17, 'category_id': 1}
        annotations.append({**first[image['id']], **own})
    for image in images:
        image['file_name'] = f'{image["id"]}.jpg'
    links = [[joint, joint + 1] for joint in range(16)]
    categories = [{'id': 1, 'name': 'thing', 'skeleton': links}]
    return {'images': images, 'annotations': annotations, 'categories': categories}


def write_images(content: dict, folder: Path) -> float:
    """Write the stand-ins; returns their bits a pixel."""
    folder.mkdir(parents=True)
    names = ('astronaut', 'coffee', 'chelsea', 'rocket', 'hubble_deep_field')
    tiles = []
    for name in names:
        pixels = cv2.cvtColor(getattr(photographs, name)(), cv2.COLOR_RGB2BGR)
        row = np.hstack([pixels, pixels[:, ::-1]])
        tiles.append(np.vstack([row, row[::-1]]))
    bits = pixels = 0
    for number, image in enumerate(content['images']):
        tile = tiles[number % len(tiles)]
        width, height = image['width'], image['height']
        times = -(-height // tile.shape[0]), -(-width // tile.shape[1]), 1
        encoded = cv2.imencode(
            '.jpg', np.tile(tile, times)[:height, :width], [cv2.IMWRITE_JPEG_QUALITY, QUALITY]
        )[1]
        (folder / image['file_name']).write_bytes(encoded.tobytes())
        bits += 8 * len(encoded)
        pixels += width * height
    return bits / pixels


def build(folder: Path, load: str) -> TrainEpisodes:
    """The training set of a folder, read by one of the steps that read."""
    config = Config.fromfile(str(CONFIG))
    files = {'ann_file': str(folder / 'annotations/unified.json')}
    config.data.train.update(**files, img_prefix=str(folder / 'images'), valid_class_ids=None)
    config.data.train.pipeline[0] = dict(type=load)
    return build_dataset(config, 'train')


def sample_seconds(sets: dict[str, TrainEpisodes], samples: int, rounds: int) -> dict[str, float]:
    """Processor seconds a sample of each set, the least of rounds in turn."""
    best = {}
    for _ in range(rounds):
        for name, dataset in sets.items():
            start = time.process_time()
            for index in range(samples):
                dataset[index]
            spent = (time.process_time() - start) / samples
            best[name] = min(spent, best.get(name, spent))
    return best


def differences(sets: dict[str, TrainEpisodes], samples: int) -> dict[str, tuple[float, float]]:
    """What the sets' crops differ from the first set's: levels of 255, and dB."""
    std = torch.tensor(Config.fromfile(str(CONFIG)).data.train.pipeline[-1].std)
    result = {}
    (_, first), *others = sets.items()
    for name, dataset in others:
        square, absolute = 0.0, 0.0
        for index in range(samples):
            pairs = zip(first[index]['imgs'], dataset[index]['imgs'], strict=True)
            levels = torch.stack([255 * std * (a - b).movedim(0, -1) for a, b in pairs])
            square += float((levels**2).mean()) / samples
            absolute += float(levels.abs().mean()) / samples
        result[name] = absolute, 10 * np.log10(255**2 / max(square, 1e-9))
    return result


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('annotations', type=Path, nargs='+', help="MP-100's annotation files")
    parser.add_argument('--images', type=int, default=150, help='stand-ins to make [150]')
    parser.add_argument('--side', type=int, default=304, help="of the copy's crops [304]")
    parser.add_argument('--rounds', type=int, default=3, help='rounds to take the least of [3]')
    parser.add_argument('--json', type=Path, metavar='FILE', help='write the figures, too')
    args = parser.parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(0)
    keep_freed_memory()  # as tools/train.py does
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder, 'source')
        content = chosen(args.annotations, args.images)
        bits = write_images(content, source / 'images')
        write_json(content, source / 'annotations/unified.json')
        sizes = [image['width'] * image['height'] / 1e6 for image in content['images']]
        print(
            f'{len(sizes)} images of {np.mean(sizes):.2f} megapixels on the mean, '
            f'{np.median(sizes):.2f} the median, {bits:.1f} bits a pixel'
        )
        unified = source / 'annotations/unified.json'
        copies = {kind: Path(folder, kind) for kind in SUFFIXES}
        for kind, target in copies.items():
            report = shrink(unified, source / 'images', target, args.side, kind, workers=1)
            print(f'\n{kind}, side {args.side}: {format_report(report)}')
        sets = {
            'whole images': build(source, 'LoadImageFromFile'),
            'reduced decoding': build(source, 'LoadReducedImage'),
        }
        for kind, target in copies.items():
            sets[f'shrunk copy, {kind}'] = build(target, 'LoadReducedImage')
        seconds = sample_seconds(sets, args.images, args.rounds)
        changes = differences(sets, min(args.images, 60))
        tables = {
            name: loading_times(dataset, range(args.images), 16, time.process_time)
            for name, dataset in sets.items()
        }
    whole = seconds['whole images']
    rows = []
    for name, value in seconds.items():
        difference = '{:.1f}, {:.1f} dB'.format(*changes[name]) if name in changes else ''
        cells = f'{1000 * value:.2f}', f'{1 / value:.0f}', f'{whole / value:.2f}', difference
        rows.append([name, *cells])
    titles = ['a training sample, two images', 'ms', 'samples / s', 'ratio', 'difference']
    print('\n' + format_table(titles, rows, 'markdown'))
    parts = list(tables['whole images'])
    rows = [[part, *(f'{1000 * t[part]:.2f}' for t in tables.values())] for part in parts]
    print('\n' + format_table(['ms of the processor', *tables], rows, 'markdown'))
    if args.json:
        write_json({'seconds': seconds, 'differences': changes, 'parts': tables}, args.json)


if __name__ == '__main__':
    main()
