"""Building a model from its config and checkpoint."""

from __future__ import annotations

from pathlib import Path

import torch
from mmcv import Config
from mmpose.models import build_posenet
from torch import nn

from fmmp.checkpoints import load_weights

from .precision import choose_precision


def init_model(
    config: str | Path | Config, checkpoint: str | Path | None = None, device: str = 'cpu'
) -> nn.Module:
    """Build a config's model in evaluation mode. Never downloads.

    Args:
        config: a config file's path, or a config.
        checkpoint: a checkpoint of ours or of the authors' release, told apart by their names; by
            default the weights stay random.
        device: where the model is to run, such as ``cuda:0``.

    Raises:
        CheckpointError: the checkpoint cannot be read or does not fit the config's model.
    """
    if not isinstance(config, Config):
        config = Config.fromfile(str(config))
    settings = config.model.copy()
    settings.pretrained = None
    model = build_posenet(settings)
    if checkpoint is not None:
        load_weights(model, checkpoint)
    model.cfg = config  # as MMPose's functions for inference expect it
    place(model, config, device).eval()
    return model


def place(model: nn.Module, config: Config, device: str | torch.device) -> nn.Module:
    """Move a model to a device, with the config's memory format and precision.

    Args:
        model: an FMMP model.
        config: ``channels_last=True`` stores a pixel's channels together, which suits convolutions
            on many devices; ``precision`` is ``float32``, the default, ``bfloat16`` or ``float16``.
        device: where to run.

    Raises:
        InputError: there is no such precision, or this torch lacks it.
    """
    model.precision = choose_precision(config.get('precision', 'float32'), device)
    if config.get('channels_last', False):
        model.to(memory_format=torch.channels_last)
    return model.to(device)


def place_for_speed(model: nn.Module, config: Config, device: str | torch.device) -> nn.Module:
    """:func:`place`, on the CPU with channels last unless the config says otherwise.

    It is faster there; its results differ by rounding from those of contiguous images, which
    :func:`init_model` keeps.
    """
    on_cpu = torch.device(device).type == 'cpu'
    return place(model, {'channels_last': on_cpu, **config}, device)
