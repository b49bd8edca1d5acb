"""Checkpoints: safe loading and atomic saving."""

from __future__ import annotations

import tarfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from fmmp.errors import CheckpointError
from fmmp.files import atomic_path

State = dict[str, Tensor]


def load_checkpoint_file(path: str | Path) -> dict:
    """Read a checkpoint without running any code it may carry.

    Args:
        path: a file written by ``torch.save``.

    Returns:
        What was saved, on the CPU.

    Raises:
        CheckpointError: the file is missing, damaged, or holds more than tensors and plain values.
    """
    path = Path(path)
    if not path.is_file():
        raise CheckpointError(f'{path}: no such checkpoint')
    try:
        _refuse_other_archives(path)
        with _numpy_scalars():
            checkpoint = torch.load(path, map_location='cpu', weights_only=True)
    except Exception as error:  # whatever a damaged file leads to; no code of its own has run
        raise CheckpointError(
            f'{path}: refused: it is damaged or no checkpoint (a web page, a Git LFS pointer?), or '
            'holds more than tensors and plain values; fetch it again, or have its owner save the '
            'state dict alone'
        ) from error
    if not isinstance(checkpoint, dict):
        raise CheckpointError(f'{path}: holds a {type(checkpoint).__name__}, not a state dict')
    return checkpoint


def _refuse_other_archives(path: Path) -> None:
    """Refuse what ``torch.load`` reads beside tensors, and before 2.6 not safely."""
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            if any(name.endswith('/constants.pkl') for name in archive.namelist()):
                raise CheckpointError('TorchScript')
    elif tarfile.is_tarfile(path):
        raise CheckpointError('tar')


@contextmanager
def _numpy_scalars() -> Iterator[None]:
    """Let numbers of numpy pass, which MMCV's trainings often hold as their best score."""
    if not hasattr(torch.serialization, 'safe_globals'):  # torch < 2.5 knows no exceptions
        yield
        return
    scalar = np.float64(0).__reduce__()[0]
    kinds = {type(np.dtype(kind)) for kind in ('f8', 'f4', 'i8', 'i4')}
    with torch.serialization.safe_globals([scalar, np.dtype, *kinds]):
        yield


def load_training(path: str | Path) -> dict:
    """Read a checkpoint to go on with its training; see `require_training`."""
    return require_training(load_checkpoint_file(path), path)


def require_training(checkpoint: dict, path: str | Path) -> dict:
    """Make sure that a checkpoint is one to go on from.

    Returns:
        The checkpoint: ``state_dict``, ``optimizer``, and ``meta`` with ``epoch``, the number of
        epochs that are finished, and ``iter``.

    Raises:
        CheckpointError: it holds weights alone.
    """
    meta = checkpoint.get('meta')
    if not (
        isinstance(meta, dict) and {'epoch', 'iter'} <= meta.keys() and 'optimizer' in checkpoint
    ):
        raise CheckpointError(
            f'{path}: holds no training to resume; start from its weights with '
            f'--cfg-options load_from={path}'
        )
    return checkpoint


def state_dict_of(checkpoint: dict) -> State:
    """The weights inside a checkpoint, wherever frameworks put them, without DDP's prefix."""
    for key in ('state_dict', 'model'):
        if isinstance(checkpoint.get(key), dict):
            checkpoint = checkpoint[key]
            break
    state = {name: value for name, value in checkpoint.items() if isinstance(value, Tensor)}
    return {name.removeprefix('module.'): value for name, value in state.items()}


def save_atomically(checkpoint: dict, path: str | Path) -> None:
    """``torch.save``, all of it or nothing.

    Raises:
        OSError: there is no space, or another reason why the file cannot be written.
    """
    try:
        with atomic_path(path) as scratch, open(scratch, 'wb') as file:
            torch.save(checkpoint, file)
    except (OSError, RuntimeError) as error:
        # torch's own error, that its archive is at another position, hides the system's.
        cause = error if isinstance(error, OSError) else error.__context__
        if not isinstance(cause, OSError):
            raise
        raise OSError(
            f'{path} could not be written: {cause.strerror or cause}; what was there before is as '
            'it was'
        ) from error


def load_weights(model: nn.Module, path: str | Path, checkpoint: dict | None = None) -> dict:
    """Load a checkpoint's weights, ours or released ones, into a model; every tensor must fit.

    Those that the model has from elsewhere may be missing, or folded.

    Args:
        model: the model.
        path: the checkpoint.
        checkpoint: what is in it, if it has been read.

    Returns:
        The whole checkpoint.

    Raises:
        CheckpointError: the file cannot be read, or lacks or adds tensors, or has other shapes.
    """
    if checkpoint is None:
        checkpoint = load_checkpoint_file(path)
    state = state_dict_of(checkpoint)
    release = getattr(model, 'release', None)
    if release is not None and release.is_released(state):
        try:
            state = release.to_ours(state)
        except CheckpointError as error:
            raise CheckpointError(f"{path}: has the release's names, but {error}") from None
    if release is not None:
        state = {n: v for n, v in state.items() if not n.startswith(release.carried)}
    elsewhere = tuple(getattr(model, 'weights_elsewhere', ()))
    kept = {n: v for n, v in model.state_dict().items() if n.startswith(elsewhere)}
    if _is_folded({n for n in state if n.startswith(elsewhere)}, kept):
        state = {n: v for n, v in state.items() if not n.startswith(elsewhere)}
    load_checked(model, state, path, defaults=kept)
    return checkpoint


def _is_folded(names: set[str], unfolded: State) -> bool:
    """Whether names are those of a backbone whose batch norms are folded into its convolutions."""
    more = names - unfolded.keys()
    return bool(more) and all(
        name.endswith('.bias') and f'{name.removesuffix("bias")}weight' in unfolded for name in more
    )


def load_checked(
    model: nn.Module,
    state: State,
    source: str | Path,
    defaults: State | None = None,
) -> None:
    """Load weights that all fit.

    Args:
        model: the model, or its backbone.
        state: the weights.
        source: where they are from, for errors.
        defaults: weights that need not be in ``state``.
    """
    own = model.state_dict()
    if not own.keys() & state.keys():
        names = _shortened(sorted(state)) or 'none'
        raise CheckpointError(
            f'{source} holds something else: none of the names of its tensors ({names}) is in this '
            'model'
        )
    state = {**(defaults or {}), **state}
    problems = {
        'missing': sorted(own.keys() - state.keys()),
        'unexpected': sorted(state.keys() - own.keys()),
        'other shapes': [
            f'{name} {tuple(state[name].shape)} instead of {tuple(own[name].shape)}'
            for name in own
            if name in state and own[name].shape != state[name].shape
        ],
    }
    if any(problems.values()):
        listed = '; '.join(
            f'{len(names)} {kind}: {_shortened(names)}' for kind, names in problems.items() if names
        )
        raise CheckpointError(
            f'{source} does not fit this model: it is of other settings ({listed})'
        )
    model.load_state_dict(state)


def _shortened(names: list[str], most: int = 5) -> str:
    return ', '.join(names[:most]) + (', …' if len(names) > most else '')
