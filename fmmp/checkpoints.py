"""Checkpoints: safe loading, atomic saving, and the names of the authors' release."""

from __future__ import annotations

import re
import tarfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from fmmp.architecture import settings_of
from fmmp.errors import CheckpointError
from fmmp.files import atomic_path

State = dict[str, Tensor]

# Names as the release has them and as we have them; {} stands for a layer's or a level's number.
_RELEASED_NAMES = (
    ('backbone_projs.{}.0.', 'neck.projections.{}.'),
    ('predictor.pos_embed_proj.layers.0.', 'keypoint_head.point_encoding.mlp.0.'),
    ('predictor.pos_embed_proj.layers.1.', 'keypoint_head.point_encoding.mlp.2.'),
    ('predictor.kpt_branch.{}.mlp.', 'keypoint_head.point_mlps.{}.'),
)
_RELEASED_MINERS = (
    ('predictor.support_layers.{}.', 'keypoint_head.support_miners.{}.'),
    ('predictor.decoder_layers.{}.', 'keypoint_head.query_miners.{}.'),
)
_RELEASED_MINER_PARTS = (
    ('self_attn.', 'self_attention.'),
    ('self_norm1.', 'self_attention_norm.'),
    ('self_linear1.', 'self_attention_ffn.0.'),
    ('self_linear2.', 'self_attention_ffn.3.'),
    ('self_norm2.', 'self_attention_ffn_norm.'),
    ('deform_attn.projector.0.', 'fgsa.projector.'),
    ('norm1.', 'fgsa_norm.'),
    ('linear1.', 'fgsa_ffn.0.'),
    ('linear2.', 'fgsa_ffn.3.'),
    ('norm2.', 'fgsa_ffn_norm.'),
)
_NAMES = (
    ('backbone.', 'backbone.'),
    *_RELEASED_NAMES,
    *((m + p, n + q) for m, n in _RELEASED_MINERS for p, q in _RELEASED_MINER_PARTS),
)
# The release has a module a branch; we store the branches of an attention together.
_BRANCH = 'deform_attn.attn_layers.{}.'
_CONCATENATED = tuple(
    (f'{part}.{kind}', f'fgsa.{part}.{kind}')
    for part in ('sampling_offsets', 'attention_weights', 'value_proj')
    for kind in ('weight', 'bias')
)
_STACKED = (
    ('output_proj.weight', 'fgsa.output_weight'),
    ('output_proj.bias', 'fgsa.output_bias'),
)


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
    """Read a checkpoint to go on with its training.

    Returns:
        The checkpoint: ``state_dict``, ``optimizer``, and ``meta`` with ``epoch``, the number of
        epochs that are finished, and ``iter``.

    Raises:
        CheckpointError: the file cannot be read, or holds weights alone.
    """
    checkpoint = load_checkpoint_file(path)
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


def load_weights(model: nn.Module, path: str | Path) -> dict:
    """Load a checkpoint's weights, ours or released ones, into a model; every tensor must fit.

    Returns:
        The whole checkpoint.

    Raises:
        CheckpointError: the file cannot be read, or lacks or adds tensors, or has other shapes.
    """
    checkpoint = load_checkpoint_file(path)
    state = state_dict_of(checkpoint)
    if is_released(state):
        try:
            state = released_to_ours(state)
        except CheckpointError as error:
            raise CheckpointError(f"{path}: has the release's names, but {error}") from None
    load_checked(model, state, path)
    return checkpoint


def load_checked(
    model: nn.Module,
    state: State,
    source: str | Path,
    defaults: State | None = None,
    prefix: str = '',
) -> None:
    """Load weights that all fit.

    Args:
        model: the model, or its backbone.
        state: the weights.
        source: where they are from, for errors.
        defaults: weights that need not be in ``state``.
        prefix: of the names in the whole model.
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
        here, there = (
            settings_of({f'{prefix}{name}': value for name, value in weights.items()})
            for weights in (own, state)
        )
        settings = [
            f'{name} is {value} in the config and {there[name]} in the checkpoint'
            for name, value in here.items()
            if there.get(name, value) != value
        ]
        way_out = ', '.join(settings) or 'use the config it was trained with'
        raise CheckpointError(f'{source} does not fit this model: {way_out} ({listed})')
    model.load_state_dict(state)


def _shortened(names: list[str], most: int = 5) -> str:
    return ', '.join(names[:most]) + (', …' if len(names) > most else '')


def is_released(state: State) -> bool:
    """Whether the names are those of the authors' release."""
    return any(name.startswith('predictor.') for name in state)


def released_to_ours(state: State) -> State:
    """Rename the release's tensors to ours and join each attention's branches.

    Raises:
        CheckpointError: a tensor has no counterpart.
    """
    ours, branches = {}, {}
    for name, value in state.items():
        match = re.fullmatch(r'(.*\.)deform_attn\.attn_layers\.(\d+)\.(.*)', name)
        if match:
            miner, branch, part = match.groups()
            branches.setdefault((miner, part), {})[int(branch)] = value
        else:
            ours[_rename(name, _NAMES)] = value
    for (miner, part), values in branches.items():
        if sorted(values) != list(range(len(values))):
            raise CheckpointError(f'{miner}deform_attn: {part} has branches {sorted(values)} only')
        ordered = [values[m] for m in range(len(values))]
        join = torch.stack if part in dict(_STACKED) else torch.cat
        name = dict(_STACKED + _CONCATENATED).get(part)
        if name is None:
            raise CheckpointError(f'{miner}deform_attn.attn_layers.0.{part} has no counterpart')
        ours[_rename(miner, _RELEASED_MINERS) + name] = join(ordered)
    return ours


def ours_to_released(state: State) -> State:
    """The inverse of :func:`released_to_ours`.

    Raises:
        CheckpointError: a tensor has no counterpart.
    """
    names = tuple((ours, released) for released, ours in _NAMES)
    miners = tuple((ours, released) for released, ours in _RELEASED_MINERS)
    concatenated = {ours: released for released, ours in _CONCATENATED}
    stacked = {ours: released for released, ours in _STACKED}
    released = {}
    for name, value in state.items():
        match = re.fullmatch(r'(.*\.)(fgsa\.(?!projector)\w+(?:\.\w+)?)', name)
        if not match:
            released[_rename(name, names)] = value
            continue
        miner, part = match.groups()
        if part not in concatenated | stacked:
            raise CheckpointError(f'{name} has no counterpart in the release')
        branches = len(state[f'{miner}fgsa.output_bias'])
        values = value.unbind() if part in stacked else value.chunk(branches)
        for branch, tensor in enumerate(values):
            prefix = _rename(miner, miners) + _BRANCH.format(branch)
            released[prefix + (concatenated | stacked)[part]] = tensor.clone()
    return released


def _rename(name: str, prefixes: tuple[tuple[str, str], ...]) -> str:
    for old, new in prefixes:
        match = re.match(re.escape(old).replace(r'\{\}', r'(\d+)'), name)
        if match:
            return new.format(*match.groups()) + name[match.end() :]
    raise CheckpointError(f'{name} has no counterpart')
