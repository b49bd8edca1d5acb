"""Estimation in films: frame by frame, followed if wanted, and drawn."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from fmmp.cli import Progress
from fmmp.errors import InputError
from fmmp.files import atomic_path
from fmmp.visualization import draw_pose

from .estimator import Estimator
from .many_images import POSES, as_line, prepare_folder
from .result_lines import ResultLines
from .support import Box, Support, shown_keypoints
from .tracking import Tracker

SUFFIXES = ('.avi', '.m4v', '.mkv', '.mov', '.mp4', '.mpeg', '.mpg', '.webm', '.wmv')


class Film(NamedTuple):
    """What a film's file says of it: ``frames`` may be a guess."""

    path: Path
    rate: float
    size: tuple[int, int]
    frames: int


def read_film(path: str | Path) -> Film:
    """Read what a film's file says of it.

    Raises:
        OSError: the file is missing, or no film that OpenCV can read.
    """
    if not Path(path).is_file():
        raise FileNotFoundError(f'{path}: there is no such film')
    reader = cv2.VideoCapture(str(path))
    is_readable, frame = reader.read()
    rate = reader.get(cv2.CAP_PROP_FPS)
    count = int(reader.get(cv2.CAP_PROP_FRAME_COUNT))
    reader.release()
    if not is_readable:
        raise OSError(f'{path}: not a film that OpenCV can read')
    rate = rate if 0 < rate < 1000 else 25.0
    return Film(Path(path), rate, frame.shape[1::-1], max(count, 1))


def read_frames(film: Film) -> Iterator[np.ndarray]:
    """A film's frames (H, W, 3) uint8, RGB, one after the other."""
    reader = cv2.VideoCapture(str(film.path))
    try:
        while True:
            is_readable, frame = reader.read()
            if not is_readable:
                return
            yield cv2.cvtColor(frame, cv2.COLOR_BGR2RGB)
    finally:
        reader.release()


def estimate_film(
    estimator: Estimator,
    path: str | Path,
    folder: str | Path,
    described: dict,
    supports: Sequence[Support],
    box: Box | None = None,
    track: bool = False,
) -> tuple[int, Path]:
    """Estimate a film's frames into ``poses.jsonl``, and draw them into a film beside it.

    A line is a frame's: ``frame``, counted from 0, and what an image's line has. A call that was
    cut short is gone on with: frames that have a line are only drawn.

    Args:
        estimator: of the supports.
        path: the film.
        folder: where both go.
        described: what the poses depend on.
        supports: those of the estimator; to track, and for the links to draw.
        box: the object's in all frames, or, to track, in the first; None for the whole image.
        track: look for the object where it was, and smooth its keypoints; the lines say the smooth
            ones.

    Returns:
        The number of frames, and the drawn film.

    Raises:
        OSError: the film cannot be read, or no film can be written.
        InputError: the folder holds poses of another estimation, or another film of that name.
    """
    film = read_film(path)
    drawn = Path(folder) / f'{film.path.stem}.mp4'
    if drawn.resolve() == film.path.resolve():
        drawn = drawn.with_stem(f'{drawn.stem}_poses')
    if drawn.exists() and not Path(folder, POSES).exists():
        raise InputError(f'{drawn} is there already, and not of an estimation: name another folder')
    first_box = None if box is None else [*box]
    prepare_folder(folder, {**described, 'film': str(path), 'track': track, 'box': first_box})
    lines = ResultLines(Path(folder) / POSES)
    known = {line['frame']: line for line in lines}
    tracker = Tracker(supports, film.rate, box) if track else None
    shown = shown_keypoints(supports)
    size = 1 if track else estimator.batch_size
    progress, number, frames = Progress('frames'), 0, read_frames(film)
    with _written(drawn, film) as write:
        while batch := [*islice(frames, size)]:
            if any(number + n not in known for n in range(len(batch))):
                start = tracker.box if tracker else box
                for n, pose in enumerate(estimator(batch, [start] * len(batch))):
                    line = {'frame': number + n, **as_line(pose)}
                    if tracker:
                        smooth = tracker(pose.keypoints, film.size)
                        line['keypoints'] = np.round(smooth, 2).tolist()
                    if number + n not in known:
                        lines.append(line)
                    known[number + n] = line
            elif tracker:
                tracker(np.array(known[number]['keypoints']), film.size, is_smooth=True)
            for frame in batch:
                keypoints = np.array(known.pop(number)['keypoints'])
                write(draw_pose(frame, keypoints, shown, supports[0].skeleton))
                number += 1
            progress(number, max(film.frames, number))
    return number, drawn


@contextmanager
def _written(path: Path, film: Film) -> Iterator:
    """A function that writes frames to a film, which is there when all are."""
    with atomic_path(path) as scratch:
        codec = cv2.VideoWriter_fourcc(*'mp4v')
        writer = cv2.VideoWriter(str(scratch), codec, film.rate, film.size)
        if not writer.isOpened():
            raise InputError(f'{path}: this OpenCV cannot write films')
        try:
            yield lambda frame: writer.write(cv2.cvtColor(frame, cv2.COLOR_RGB2BGR))
        finally:
            writer.release()
