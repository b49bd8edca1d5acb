"""Estimation of many images: sharded over processes, and taken up again after a kill."""

from __future__ import annotations

import hashlib
import json
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch.distributed as dist
from mmcv import Config

from fmmp.cli import Progress
from fmmp.errors import InputError
from fmmp.files import write_json
from fmmp.processes import in_first_process

from .distributed import is_first_process
from .estimator import Estimator, Pose
from .images import image_pixels
from .result_lines import ResultLines
from .settings.saved import settings_of
from .support import Box, Support

SUFFIXES = ('.bmp', '.gif', '.jpeg', '.jpg', '.png', '.ppm', '.tif', '.tiff', '.webp')
POSES, WHAT = 'poses.jsonl', 'estimation.json'


def list_images(source: str | Path) -> list[tuple[str, Box | None]]:
    """The images that are to be estimated, each with its object's box if that is known.

    Args:
        source: a folder, whose images are taken with those of the folders in it, sorted by name; a
            text file with a path a line; a file of JSON lines with ``image`` and, if wanted,
            ``box`` [x, y, width, height]; or an image. Paths in a file are relative to it.

    Raises:
        OSError: it is missing.
        InputError: it holds no images, or is of another form.
    """
    source = Path(source)
    if source.is_dir():
        found = [(path, None) for path in _files(source) if path.lower().endswith(SUFFIXES)]
    elif source.suffix.lower() in SUFFIXES:
        found = [(str(source), None)]
    else:
        found = [*_listed(source)]
    if not found:
        raise InputError(f'{source} holds no images')
    return found


def estimate_many(
    estimator: Estimator,
    jobs: Sequence[tuple[str, Box | None]],
    folder: str | Path,
    described: dict,
) -> tuple[int, list[str]]:
    """Estimate images into ``poses.jsonl``, going on where an earlier call has ended.

    A line is an image's: ``image``, ``box``, ``keypoints``, ``confidence`` and ``calibrated``; or
    ``image`` and ``error``, which the next call tries again. Several processes take a share each.

    Args:
        estimator: of the supports.
        jobs: of `list_images`.
        folder: where the file goes.
        described: what the poses depend on, such as `describe_estimation` says.

    Returns:
        How many poses the file has, and the images that failed.

    Raises:
        InputError: the folder holds poses of another estimation.
    """
    lines = ResultLines(Path(folder) / POSES)
    in_first_process(lambda: prepare_folder(folder, described))
    done = {key for line in lines for key in _keys(line['image'], line.get('box'))}
    rank, world = (dist.get_rank(), dist.get_world_size()) if dist.is_initialized() else (0, 1)
    todo = [job for job in jobs[rank::world] if _keys(*job)[0] not in done]
    del done
    progress = Progress('images' if world == 1 else 'images of the first process')
    finished = 0
    read = _read_ahead(todo, _read, estimator.batch_size)
    while batch := [*islice(read, estimator.batch_size)]:
        readable = [(job, pixels) for job, pixels in batch if not isinstance(pixels, Exception)]
        answers = _answers(estimator, [(pixels, box) for (_, box), pixels in readable])
        for (path, _), answer in zip([job for job, _ in readable], answers, strict=True):
            lines.append({'image': path, **as_line(answer)})
        for (path, _), error in batch:
            if isinstance(error, Exception):
                lines.append({'image': path, 'error': str(error)})
        finished += len(batch)
        if is_first_process():
            progress(finished, len(todo))
    if dist.is_initialized():
        dist.barrier()
    poses, failed = 0, []
    for line in lines:
        if 'error' in line:
            image = line['image']  # which errors of reading name, too
            failed.append(f'{image}: {line["error"].removeprefix(f"{image}: ")}')
        else:
            poses += 1
    return poses, failed


def describe_estimation(
    supports: Sequence[Support], config: Config, checkpoint: str | None
) -> dict:
    """What poses depend on: the supports and the model, by their contents.

    Args:
        supports: the annotated images.
        config: the model's.
        checkpoint: its file, if any.
    """
    digest = hashlib.sha256()
    for support in supports:
        values = support.keypoints, support.visible, image_pixels(support.image)
        for value in (*values, np.array(support.box or (), float)):
            digest.update(np.ascontiguousarray(value).tobytes())
        digest.update(json.dumps(np.array(support.skeleton).tolist()).encode())
    settings = settings_of(config)
    seen = {name: settings['data']['test'].get(name) for name in ('data_cfg', 'pipeline')}
    begun = config.model.get('pretrained')  # all its weights, of a method without training
    method = _by_content([settings['model'], begun, seen, settings['precision']])
    return {
        'supports': digest.hexdigest(),
        'config': hashlib.sha256(json.dumps(method, sort_keys=True).encode()).hexdigest(),
        'checkpoint': _by_content(checkpoint),
    }


def _by_content(value: Any) -> Any:
    """Settings with the SHA-256 of every file that they name in place of its name."""
    if isinstance(value, dict):
        return {name: _by_content(one) for name, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_by_content(one) for one in value]
    if isinstance(value, str) and Path(value).is_file():
        return hashlib.sha256(Path(value).read_bytes()).hexdigest()
    return value


def prepare_folder(folder: str | Path, described: dict) -> None:
    """Make a folder ready to go on with: the same estimation's, its file whole, errors forgotten.

    Raises:
        InputError: it holds poses of another estimation.
    """
    folder = Path(folder)
    known = folder / WHAT
    if known.exists():
        try:
            earlier = dict(json.loads(known.read_text(encoding='utf-8')))
        except (OSError, TypeError, ValueError) as error:
            raise InputError(
                f'{known}: not readable ({error}): name another folder, or remove {folder}'
            ) from error
        names = {**earlier, **described}
        changed = [name for name in names if earlier.get(name) != described.get(name)]
        if changed:
            raise InputError(
                f'{folder} holds poses of another estimation ({", ".join(changed)} differ): name '
                'another folder, or remove it'
            )
    else:
        write_json(described, known)
    ResultLines(folder / POSES).repair(keep=lambda line: 'error' not in line)


def as_line(answer: Pose | Exception) -> dict:
    """What a line says of an image's object."""
    if isinstance(answer, Exception):
        return {'error': str(answer)}
    return {
        'box': [round(float(value), 2) for value in answer.box],
        'keypoints': np.round(answer.keypoints, 2).tolist(),
        'confidence': np.round(answer.confidence, 4).tolist(),
        'calibrated': bool(answer.calibrated),
    }


def _answers(
    estimator: Estimator, images: Sequence[tuple[np.ndarray, Box | None]]
) -> list[Pose | Exception]:
    """A pose an image; where a batch fails, such as for one's box, each alone."""
    if not images:
        return []
    pixels, boxes = zip(*images, strict=True)
    try:
        return estimator(pixels, boxes)
    except (OSError, InputError) as error:
        if len(images) == 1:
            return [error]
        return [answer for one in images for answer in _answers(estimator, [one])]


def _keys(image: str, box: Box | None) -> list[tuple]:
    """What a line answers: the image in this box, of which it may have several, and at all."""
    own = [] if box is None else [(image, *(round(float(value), 2) for value in box))]
    return [*own, (image,)]


def _files(folder: Path) -> Iterator[str]:
    for root, folders, names in os.walk(folder):
        folders.sort()
        yield from (os.path.join(root, name) for name in sorted(names))


def _listed(source: Path) -> Iterator[tuple[str, Box | None]]:
    try:
        with source.open(encoding='utf-8-sig') as file:  # with or without a mark of byte order
            lines = [line.strip() for line in file]
    except UnicodeDecodeError as error:
        raise InputError(f'{source}: neither a folder, a list, an image nor a film') from error
    for number, line in enumerate(lines, start=1):
        if not line:
            continue
        path, box = line, None
        if source.suffix == '.jsonl':
            try:
                content = json.loads(line)
                path, box = Path(content['image']), content.get('box')
                box = None if box is None else tuple(float(value) for value in box)
            except (AttributeError, KeyError, TypeError, ValueError) as error:
                raise InputError(
                    f"{source}, line {number}: give an object with 'image' and, if wanted, 'box' "
                    '[x, y, width, height]'
                ) from error
        yield str(source.parent / path), box


def _read(job: tuple[str, Box | None]) -> np.ndarray | Exception:
    try:
        return image_pixels(job[0], job[0])
    except (OSError, InputError) as error:
        return error


def _read_ahead(jobs: Iterable, read: Callable[[Any], Any], ahead: int) -> Iterator[tuple]:
    """Each job with what is read for it, which a thread does beforehand, for a few jobs."""
    with ThreadPoolExecutor(1) as pool:
        waiting = deque()
        for job in jobs:
            waiting.append((job, pool.submit(read, job)))
            if len(waiting) > ahead:
                job, reading = waiting.popleft()
                yield job, reading.result()
        for job, reading in waiting:
            yield job, reading.result()
