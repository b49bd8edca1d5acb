"""Backbones' initial weights: read safely, renamed, every tensor checked."""

from __future__ import annotations

import re

from torch import Tensor, nn

from fmmp.checkpoints import load_checked
from fmmp.processes import in_first_process

from .sources import find_weights, read_weights

State = dict[str, Tensor]


def load_pretrained(backbone: nn.Module, source: str) -> None:
    """Load the weights that a training starts from.

    The first process alone reads them, and downloads them if need be; the others get them from it.

    Args:
        backbone: MMPose's ResNet or Swin Transformer, or a `TimmBackbone`.
        source: ``torchvision://NAME``, ``timm:NAME``, ``package:NAME`` or a file; see
            `fmmp.models.backbones.sources.find_weights`. A file may be torchvision's, the
            official Swin Transformers', one that timm knows, or one with the backbone's own names.

    Raises:
        CheckpointError: there are no such weights, the file cannot be read, or a tensor is missing,
            misshapen or left over.
    """
    state = in_first_process(lambda: read_weights(find_weights(source, download=True)))
    _load(backbone, state, source)


def fetch_weights(settings: dict) -> None:
    """Download the weights that a backbone's config names as its own, if any, unless they are here.

    The first process alone does it, at the start of a training.

    Raises:
        CheckpointError: there are no such weights, or they cannot be downloaded.
    """
    source = settings.get('weights')
    if source is not None:
        in_first_process(lambda: find_weights(source, download=True))


def load_initial_weights(backbone: nn.Module) -> None:
    """Load the weights that a backbone's config names as its own, if any. Never downloads.

    Such weights are not learned: ``backbone.weights`` says where they come from, instead of a
    checkpoint.

    Raises:
        CheckpointError: as of `load_pretrained`, or they are not on this machine.
    """
    source = getattr(backbone, 'weights', None)
    if source is not None:
        _load(backbone, read_weights(find_weights(source)), source)


def _load(backbone: nn.Module, state: State, source: str) -> None:
    if hasattr(backbone, 'own_names'):
        state, defaults = backbone.own_names(_of_detector(state)), {}
    else:
        state, defaults = _mmpose_names(backbone, state)
    load_checked(backbone, state, source, defaults)


def _of_detector(state: State) -> State:
    """The backbone's part, where the weights are a whole detector's."""
    prefix = 'backbone.'
    parts = {n.removeprefix(prefix): v for n, v in state.items() if n.startswith(prefix)}
    return parts or state


def _mmpose_names(backbone: nn.Module, state: State) -> tuple[State, State]:
    """Weights as MMPose's ResNet and Swin Transformer name them, and those that may be missing."""
    from mmpose.models.backbones import SwinTransformer
    from mmpose.models.backbones.utils.ckpt_convert import swin_converter

    if any(name.startswith('layers.') for name in state):  # the official Swin Transformers' names
        state = swin_converter(state)
    # A classifier's layers and masks are of no use here; what follows from the configuration, and
    # the norms of Swin's levels, which a classifier has not, may be missing.
    useless = re.compile(r'(fc|head|norm)\.|.*attn_mask')
    optional = r'.*(relative_position_index|num_batches_tracked)'
    if isinstance(backbone, SwinTransformer):
        optional += r'|norm\d\.'
    defaults = {n: v for n, v in backbone.state_dict().items() if re.match(optional, n)}
    return {n: v for n, v in _of_detector(state).items() if not useless.match(n)}, defaults
