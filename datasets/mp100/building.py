"""A category's image folder: what it is to hold, and how it is built."""

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import cv2

from .frames import Frames

JPEG_QUALITY = 95  # of frames that are taken out of a file


@dataclass
class Plan:
    """What becomes of a category's folder.

    Attributes:
        folder: the folder to link as a whole; None where it is filled image by image.
        files: image inside the category's folder → the source's image.
        frames: the file that its images are taken out of, by name, as ``frame_names`` lists them.
        missing: annotated image inside the category's folder → why it is missing.
        notes: what else there is to say.
    """

    folder: Path | None = None
    files: dict[str, Path] = field(default_factory=dict)
    frames: Frames | None = None
    frame_names: list[str] = field(default_factory=list)
    missing: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def build(target: Path, plan: Plan, copy: bool) -> dict[str, int]:
    """Bring a category's folder to what is planned; count what was set, kept and in the way."""
    done = {'set': 0, 'kept': 0, 'in_the_way': 0}
    if plan.folder is not None:
        done[link(target, plan.folder)] += 1
        return done
    if not plan.files and not plan.frame_names:
        return done
    if target.is_symlink():  # of an earlier time: filling it would write into the source
        target.unlink()
    if target.exists() and not target.is_dir():
        done['in_the_way'] += 1
        return done
    for inner, path in plan.files.items():
        done[(_copy if copy else link)(target / inner, path)] += 1
    there = {name for name in plan.frame_names if (target / name).is_file()}
    done['kept'] += len(there)
    for name, frame in plan.frames.read(set(plan.frame_names) - there) if plan.frames else ():
        _, encoded = cv2.imencode('.jpg', frame, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
        _replace(target / name, lambda scratch, data=encoded: scratch.write_bytes(data))
        done['set'] += 1
    return done


def link(target: Path, source: Path) -> str:
    """Let a symbolic link lead to a source, whatever it led to; nothing else is replaced.

    Returns:
        ``set``, ``kept`` or ``in_the_way``.
    """
    source = source.resolve()
    if target.is_symlink() and os.readlink(target) == str(source):
        return 'kept'
    if target.exists() and not target.is_symlink():
        return 'in_the_way'
    _replace(target, lambda scratch: scratch.symlink_to(source))
    return 'set'


def _copy(target: Path, source: Path) -> str:
    if target.exists() and not target.is_symlink():
        same = target.is_file() and target.stat().st_size == source.stat().st_size
        return 'kept' if same else 'in_the_way'
    _replace(target, lambda scratch: shutil.copyfile(source, scratch))
    return 'set'


def _replace(target: Path, make: Callable[[Path], object]) -> None:
    """Put what ``make`` writes under another name in the target's place, whole or not at all."""
    target.parent.mkdir(parents=True, exist_ok=True)
    scratch = target.with_name(f'.{target.name}.new')
    scratch.unlink(missing_ok=True)
    try:
        make(scratch)
        os.replace(scratch, target)
    except BaseException:
        scratch.unlink(missing_ok=True)
        raise
