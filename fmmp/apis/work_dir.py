"""A training's work directory: one process at a time, one training's checkpoints."""

from __future__ import annotations

import errno
import fcntl
import os
import re
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from fmmp.checkpoints import load_checkpoint_file
from fmmp.errors import CheckpointError, InputError
from fmmp.files import link_atomically, remove_unfinished
from fmmp.processes import in_first_process

LATEST = 'latest.pth'


@contextmanager
def own(work_dir: Path) -> Iterator[None]:
    """Make a work directory and keep other trainings out of it; remove what a kill has left.

    Raises:
        InputError: another training uses it.
    """
    with ExitStack() as stack:
        in_first_process(lambda: stack.enter_context(_owned_by_process(work_dir)))
        yield


@contextmanager
def _owned_by_process(work_dir: Path) -> Iterator[None]:
    """Lock the file ``.lock``.

    The system takes the lock back when the process ends, however it ends. Unlike ``flock``'s, this
    lock is not handed down to the data loader's workers, which outlive a killed process by seconds.
    """
    is_new = not work_dir.exists()
    work_dir.mkdir(parents=True, exist_ok=True)
    lock = work_dir / '.lock'
    with open(lock, 'a+') as file:
        try:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno in (errno.EACCES, errno.EAGAIN):
                file.seek(0)
                raise InputError(
                    f'{work_dir} is in use by {file.read() or "another training"}: wait for it, '
                    'stop it, or name another folder with --work-dir'
                ) from None
            # This file system knows no locks: go on without.
        file.truncate(0)
        file.write(f'process {os.getpid()} on {socket.gethostname()}')
        file.flush()
        remove_unfinished(work_dir)
        try:
            yield
        except BaseException:
            if is_new and [*work_dir.iterdir()] == [lock]:  # it has not come to anything
                lock.unlink()
                work_dir.rmdir()
            raise


def checkpoints(work_dir: Path) -> list[Path]:
    """The checkpoints in the order in which to go on from them: the newest first.

    The best ones come last. They are saved before their epoch's validation is logged, so that the
    epoch before is what to go on from as long as it is there.
    """
    numbered = []
    for path in work_dir.glob('*.pth'):
        match = re.fullmatch(r'(best_.*_)?epoch_(\d+)\.pth', path.name)
        if match:
            numbered.append((match[1] is None, int(match[2]), path))
    return [path for *_, path in sorted(numbered, reverse=True)]


def checkpoint_of_epoch(path: Path) -> int | None:
    """N of ``epoch_N.pth``; None of another file."""
    match = re.fullmatch(r'epoch_(\d+)\.pth', path.name)
    return int(match[1]) if match else None


def newest_readable(work_dir: Path) -> tuple[str | None, dict | None, list[str]]:
    """Read the newest checkpoint that can be read; ``latest.pth`` then points to it.

    Returns:
        The checkpoint's path and content, None where there is none; and what is wrong with newer
        ones, a line each.

    Raises:
        CheckpointError: there are checkpoints, and none can be read.
    """
    found, passed_over = checkpoints(work_dir), []
    for path in found:
        try:
            content = load_checkpoint_file(path)
        except CheckpointError as error:
            passed_over.append(str(error))
            continue
        # Elsewhere if a kill came before the link was set, or if it was set to a damaged file.
        link_atomically(work_dir / LATEST, path.name)
        return str(path), content, passed_over
    if found:
        raise CheckpointError(
            f'{work_dir}: none of its {len(found)} checkpoints can be read: name another folder '
            'with --work-dir, or move them away to start afresh'
        )
    return None, None, []


def require_own_checkpoints(
    work_dir: Path,
    resume_from: str | None = None,
    epoch: int | None = None,
    way_out: str = 'go on from the newest by --auto-resume, or name another folder with --work-dir',
) -> None:
    """Make sure that no checkpoints of another training, or of later epochs, are in the way.

    Args:
        work_dir: the work directory.
        resume_from: the checkpoint to go on from, if any.
        epoch: its epoch.
        way_out: what the message advises.

    Raises:
        InputError: there are such checkpoints.
    """
    found, why = checkpoints(work_dir), ' of another training'
    if resume_from and Path(resume_from).resolve().parent == work_dir.resolve():
        why = f', and {resume_from} is of epoch {epoch}'
        found = [path for path in found if (checkpoint_of_epoch(path) or 0) > epoch]
    if found:
        raise InputError(f'{work_dir} holds {found[0].name}{why}: {way_out}')
