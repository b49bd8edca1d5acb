"""Writes SynthPose 2: pictures of rendered models with annotations of MP-100's form.

Everything follows from the seed, the packages' files and the category's name: a category's
pictures are the same whatever the number of categories, instances and processes. A run that was
stopped goes on.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import re
import shutil
import unicodedata
import zlib
from collections.abc import Callable
from contextlib import ExitStack
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np

from fmmp.errors import InputError
from fmmp.files import write_json

from ..settings import require_settings
from .backgrounds import Backgrounds
from .catalogue import Sources, entries, files, part, rendered_split
from .licences import write_licences
from .model import Entry, Model
from .renderer import Renderer
from .scene import draw
from .settling import settle

VERSION = 1
BESIDE = 32  # models that stand beside categories' instances
UNFINISHED = 'unfinished'  # the folder of what is drawn so far


def write_rendered(
    out_dir: str | os.PathLike,
    sources: Sources,
    backgrounds: list[str],
    categories: int | None = None,
    instances: int = 40,
    size: int = 224,
    workers: int = 1,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> list[str]:
    """Writes `unified.json`, its parts `train.json`, `val.json` and `test.json`,
    `images/<category>/`, `licences.json` and `LICENCES.txt`.

    `unified.json`, whose `info` holds the settings and the split's category ids, is written last.

    Args:
        out_dir: Folder to make, or one whose writing was stopped.
        sources: The packages' files.
        backgrounds: Folders of photographs.
        categories: How many to draw, chosen by the seed; None for all.
        instances: Instances, and so pictures, of each category.
        size: Width and height of the pictures in pixels.
        workers: Processes that draw; the result does not depend on it.
        seed: Everything follows from it.
        progress: Called with the numbers of categories drawn and to draw.

    Returns:
        A line on each category and model that was left out.

    Raises:
        InputError: A setting or a source cannot be used, or the folder holds something else.
    """
    require_settings('SynthPose 2', seed, categories, instances, size, workers)
    out_dir = Path(out_dir).absolute()
    kinds = {entry.name: entry.kind for entry in entries(sources)}
    names = list(kinds)
    chosen = names
    if categories is not None and categories < len(names):
        draws = np.random.default_rng((VERSION, seed)).permutation(len(names))[:categories]
        chosen = [names[i] for i in sorted(draws)]
    _require_folders(names)
    photographs = Backgrounds(backgrounds, sources.zero_ad).photographs
    info = {
        'description': 'SynthPose 2: rendered models for category-agnostic pose estimation',
        'version': VERSION,
        'seed': seed,
        'instances': instances,
        'size': size,
        'models': zlib.crc32(json.dumps(files(sources)).encode()),
        'backgrounds': zlib.crc32(json.dumps([path.name for path in photographs]).encode()),
        'split': rendered_split(chosen),
    }
    if _holds(out_dir, info):
        return []
    Renderer(size).close()  # where there is no renderer, this says so once

    unfinished = out_dir / UNFINISHED
    unfinished.mkdir(parents=True, exist_ok=True)
    write_json(info, unfinished / 'info.json')
    # Kinds of many models come first, and dear categories are spread.
    order = sorted(chosen, key=lambda name: (kinds[name] == 'thing', zlib.crc32(name.encode())))
    open_jobs = [name for name in order if not (unfinished / f'{folder_name(name)}.json').exists()]
    done = len(chosen) - len(open_jobs)
    settings = (str(out_dir), sources, tuple(backgrounds), instances, size, seed)
    with ExitStack() as stack:
        drawn = map(_write_category, [(settings, name) for name in open_jobs])
        if workers > 1:
            spawn = multiprocessing.get_context('spawn')
            pool = stack.enter_context(spawn.Pool(workers, cv2.setNumThreads, (1,)))
            drawn = pool.imap_unordered(_write_category, [(settings, name) for name in open_jobs])
        for _ in drawn:
            done += 1
            if progress:
                progress(done, len(chosen))
    return _finish(out_dir, info, chosen, photographs)


def folder_name(name: str) -> str:
    """A category's folder: its name in small letters, digits and underscores."""
    plain = unicodedata.normalize('NFKD', name).encode('ascii', 'ignore').decode().lower()
    return re.sub('[^a-z0-9]+', '_', plain).strip('_')


def _require_folders(names: list[str]) -> None:
    """Makes sure that every category has a folder of its own."""
    owners: dict[str, str] = {}
    for name in names:
        folder = folder_name(name)
        if not folder or folder in owners:
            other = f'that of {owners[folder]!r}, too' if folder else 'none'
            raise InputError(
                f'SynthPose 2: the folder of category {name!r} would be {other}: rename it in its '
                'catalogue, with Latin letters or digits'
            )
        owners[folder] = name


def _holds(out_dir: Path, info: dict) -> bool:
    """Whether the folder holds the finished data set; False where it is empty or unfinished."""
    if not out_dir.exists() or (out_dir.is_dir() and not any(out_dir.iterdir())):
        return False
    for file in (out_dir / 'unified.json', out_dir / UNFINISHED / 'info.json'):
        if file.exists():
            present = json.loads(file.read_text())
            present = present.get('info', present)
            if present == info:
                return file.name == 'unified.json'
            differing = sorted(key for key in info if present.get(key) != info[key])
            raise InputError(
                f'{out_dir} holds SynthPose 2 with other settings ({", ".join(differing)}): '
                'name another folder, or delete this one'
            )
    raise InputError(f'{out_dir} exists and is no SynthPose 2: name a folder that does not exist')


@lru_cache(maxsize=1)
def _workshop(
    sources: Sources, backgrounds: tuple[str, ...], size: int, seed: int
) -> tuple[dict[str, Entry], list[tuple[str, Model]], Backgrounds, Renderer]:
    """What a process needs to draw, made once."""
    found = {entry.name: entry for entry in entries(sources)}
    clutter = _clutter(found, np.random.default_rng((VERSION, seed)))
    return found, clutter, Backgrounds(list(backgrounds), sources.zero_ad), Renderer(size)


def _write_category(job: tuple) -> None:
    """Draws a category: its images' folder, then its file, each whole or not at all."""
    (out_dir, sources, backgrounds, instances, size, seed), name = job
    found, clutter, behind, renderer = _workshop(sources, backgrounds, size, seed)
    record = Path(out_dir) / UNFINISHED / f'{folder_name(name)}.json'
    own = zlib.crc32(name.encode())
    try:
        category, refused = settle(found[name].read())
    except InputError as error:
        write_json({'left_out': [str(error)]}, record)
        return
    others = [model for other, model in clutter if other != name]
    scratch = record.with_suffix('.images')
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir()
    annotations, shown = [], {}
    for index in range(instances):
        rng = np.random.default_rng((VERSION, seed, own, index + 1))
        image, annotation, models = draw(category, others, behind, renderer, rng)
        quality = [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(60, 96))]
        ok, encoded = cv2.imencode('.jpg', np.ascontiguousarray(image[..., ::-1]), quality)
        if not ok:
            raise OSError(f'OpenCV could not encode a picture of {name}')
        (scratch / f'{index:04d}.jpg').write_bytes(encoded.tobytes())
        annotations.append(annotation)
        for model in models:
            shown.setdefault(model.origin, _credit(model))
    images = Path(out_dir) / 'images' / folder_name(name)
    shutil.rmtree(images, ignore_errors=True)
    images.parent.mkdir(exist_ok=True)
    os.replace(scratch, images)
    entry = {
        'name': name,
        'supercategory': category.kind,
        'keypoints': category.keypoints,
        'skeleton': [list(link) for link in category.skeleton],
    }
    write_json(
        {
            'category': entry,
            'annotations': annotations,
            'models': list(shown.values()),
            'left_out': refused,
        },
        record,
    )


def _credit(model: Model) -> dict:
    return {
        'model': model.name,
        'origin': model.origin,
        'creator': model.creator,
        'licence': model.licence,
    }


def _clutter(found: dict[str, Entry], rng: np.random.Generator) -> list[tuple[str, Model]]:
    """Models to stand beside others, with their categories' names: training categories' alone."""
    names = [name for name in found if part(name) == 'train']
    models = []
    for name in map(str, rng.permutation(names)):
        try:
            category = found[name].read()
            model = category.models[rng.integers(len(category.models))]
            model.pose(None)
        except InputError:
            continue
        models.append((name, model))
        if len(models) == BESIDE:
            break
    return models


def _finish(out_dir: Path, info: dict, names: list[str], photographs: list[Path]) -> list[str]:
    """Puts the categories' files together, and removes them."""
    unified = {'info': info, 'images': [], 'annotations': [], 'categories': []}
    credits, left_out = {}, []
    for number, name in enumerate(names, 1):
        record = json.loads((out_dir / UNFINISHED / f'{folder_name(name)}.json').read_text())
        left_out += record['left_out']
        if 'category' not in record:
            continue
        unified['categories'].append({'id': number, **record['category']})
        for index, annotation in enumerate(record['annotations']):
            image = (number - 1) * info['instances'] + index + 1
            unified['images'].append(
                {
                    'id': image,
                    'file_name': f'{folder_name(name)}/{index:04d}.jpg',
                    'width': info['size'],
                    'height': info['size'],
                }
            )
            unified['annotations'].append(
                {'id': image, 'image_id': image, 'category_id': number, **annotation}
            )
        for model in record['models']:
            credits.setdefault(model['origin'], {**model, 'categories': []})['categories'].append(
                name
            )
    write_licences(out_dir, list(credits.values()), photographs)
    for subset, ids in info['split'].items():
        write_json(_of_categories(unified, set(ids)), out_dir / f'{subset}.json')
    write_json(unified, out_dir / 'unified.json')
    shutil.rmtree(out_dir / UNFINISHED)
    return left_out


def _of_categories(unified: dict, ids: set[int]) -> dict:
    """The categories of some ids, with their annotations and images."""
    annotations = [one for one in unified['annotations'] if one['category_id'] in ids]
    images = {one['image_id'] for one in annotations}
    return {
        'info': unified['info'],
        'images': [image for image in unified['images'] if image['id'] in images],
        'annotations': annotations,
        'categories': [category for category in unified['categories'] if category['id'] in ids],
    }
