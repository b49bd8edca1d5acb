"""From which checkpoint a training goes on."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from mmcv import Config

from fmmp.checkpoints import load_training, require_training
from fmmp.errors import InputError
from fmmp.processes import in_first_process

from .settings.saved import RESUMED, differences
from .work_dir import newest_readable, require_own_checkpoints


@dataclass
class Saved:
    """A checkpoint of a training, read once.

    Attributes:
        path: the file.
        content: what is in it.
        passed_over: what is wrong with newer ones, a line each.
    """

    path: str
    content: dict
    passed_over: list[str]


def find_saved(work_dir: Path, resume_from: str | None, auto_resume: bool) -> Saved | None:
    """Read the checkpoint to go on from, in every process; None to start afresh.

    Args:
        work_dir: the work directory.
        resume_from: the checkpoint that the config names, if any.
        auto_resume: take the newest readable one of the work directory.

    Raises:
        CheckpointError: it cannot be read, or holds no training.
        InputError: the work directory holds checkpoints that a new training would mix with its own.
    """
    first = {}  # what the first process reads while it looks

    def newest() -> tuple[str | None, list[str]]:
        path, content, passed_over = newest_readable(work_dir)
        first[path] = content
        return path, passed_over

    path, passed_over = in_first_process(newest) if auto_resume else (resume_from, [])
    saved = None
    if path is not None:
        content = first.get(path) or load_training(path)
        saved = Saved(path, require_training(content, path), passed_over)
    if not auto_resume:
        epoch = saved and saved.content['meta']['epoch']
        in_first_process(lambda: require_own_checkpoints(work_dir, path, epoch))
    return saved


def require_same_training(
    saved: Saved, config: Config, seed: int | None, auto_resume: bool, accept_changes: bool
) -> int | None:
    """Make sure that a training goes on as it began.

    Args:
        saved: its checkpoint; those of earlier versions of FMMP tell no settings.
        config: the config.
        seed: the one that is asked for; None for the training's.
        auto_resume: refuse another seed.
        accept_changes: allow other settings.

    Returns:
        The seed to go on with.

    Raises:
        InputError: the seed or a setting differs.
    """
    meta = saved.content['meta']
    saved_seed = meta.get('seed', seed)
    if auto_resume and seed not in (None, saved_seed):
        raise InputError(
            f'{Path(saved.path).parent} holds a training with seed {saved_seed}, not {seed}: leave '
            'out --seed to go on with it, or name another folder with --work-dir'
        )
    changed = differences(meta.get('settings'), config, RESUMED)
    if changed and not accept_changes:
        raise InputError(
            f'{saved.path} is of a training with other settings: {"; ".join(changed)}. Go on with '
            'its settings, with these by --accept-changes, or in another folder by --work-dir'
        )
    return saved_seed if seed is None else seed
