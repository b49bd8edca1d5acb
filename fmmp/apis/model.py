"""Building a model from its config and checkpoint."""

from __future__ import annotations

from pathlib import Path

from mmcv import Config
from mmpose.models import build_posenet
from torch import nn

from fmmp.checkpoints import load_weights


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
    model.to(device).eval()
    return model
