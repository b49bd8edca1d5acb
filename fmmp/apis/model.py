"""Building a model from its config and checkpoint."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from mmcv import Config
from mmpose.models import build_posenet
from mmpose.models.builder import POSENETS
from torch import Tensor, nn

from fmmp.checkpoints import load_checkpoint_file, load_weights
from fmmp.errors import CheckpointError, InputError
from fmmp.models.backbones.folding import fold_batch_norms
from fmmp.models.backbones.pretrained import fetch_weights
from fmmp.models.detectors.release import Release

from .calibration import find_calibration
from .data import data_settings
from .distributed import is_first_process
from .precision import choose_precision
from .settings.building import building
from .settings.checks import check_model
from .settings.reading import read_file
from .settings.saved import TESTED, differences
from .starter import is_trained, resolve


def init_model(
    config: str | Path | Config,
    checkpoint: str | Path | None = None,
    device: str = 'cpu',
    for_testing: bool = False,
) -> nn.Module:
    """Build a config's model in evaluation mode. Never downloads.

    Warns where a checkpoint was trained with other settings of the model, or of how it sees an
    episode, than the config has. The model's ``calibration`` is what tools/calibrate.py has stored
    beside the checkpoint, or None.

    Args:
        config: a config file's path, or a config.
        checkpoint: a checkpoint of ours or of the authors' release, told apart by their names;
            ``starter`` for the starter's model in place of the config's, on its data; by default
            the weights stay random.
        device: where the model is to run, such as ``cuda:0``.
        for_testing: `place_for_testing`, as the tools, the page and the servers do: faster, for a
            model that learns no more, nor is saved.

    Raises:
        CheckpointError: the checkpoint cannot be read or does not fit the config's model.
        InputError: the config's model cannot be built, or its images do not fit it.
    """
    if not isinstance(config, Config):
        config = read_file(config)
    calibration = find_calibration(config, checkpoint)
    config, checkpoint = resolve(config, checkpoint)
    check_model(config._cfg_dict)
    model = build_model(config, pretrained=False)
    require_fitting_data(model, config, [s for s in ('test',) if s in config.get('data', {})])
    if checkpoint is not None:
        load_checked_weights(model, config, checkpoint)
    model.cfg = config  # as MMPose's functions for inference expect it
    model.calibration = calibration
    put = place_for_testing if for_testing else place
    return put(model, config, device).eval()


def build_model(config: Config, pretrained: bool) -> nn.Module:
    """Build a config's model.

    Args:
        config: the config.
        pretrained: load the backbone's initial weights; they may be downloaded.

    Raises:
        InputError: it cannot be built from its settings.
    """
    settings = config.model.copy()
    with building('model', settings):
        if pretrained:
            fetch_weights(settings.backbone)
        else:
            if settings.get('pretrained') and not is_trained(config):
                raise InputError(
                    f'model.pretrained: {settings.type} is tested without a training, which would '
                    'have loaded them: name the weights as model.backbone.weights of a TimmBackbone'
                )
            settings.pretrained = None
        return build_posenet(settings)


def load_checked_weights(model: nn.Module, config: Config, path: str | Path) -> None:
    """Load a checkpoint's weights, ours or released ones; every tensor must fit.

    Warns where it was trained with other settings than the config has.

    Args:
        model: the config's model.
        config: the config.
        path: the checkpoint.

    Raises:
        CheckpointError: it cannot be read, or does not fit; the error names the settings.
    """
    checkpoint = load_checkpoint_file(path)
    meta = checkpoint.get('meta')
    saved = meta.get('settings') if isinstance(meta, dict) else None
    changed = differences(saved, config, TESTED)
    try:
        load_weights(model, path, checkpoint)
    except CheckpointError as error:
        raise CheckpointError('; '.join([str(error), *changed])) from error
    if changed and is_first_process():
        warnings.warn(f'{path} was trained with other settings: {"; ".join(changed)}', stacklevel=3)


def require_fitting_data(model: nn.Module, config: Config, subsets: Sequence[str]) -> None:
    """Make sure that a config's data are prepared as its model needs them.

    Raises:
        InputError: the images' side, what they are normalised with, or the numbers of structural
            references or links do not fit.
    """
    for subset in subsets:
        settings = data_settings(config, subset)
        multiple = model.image_multiple
        if settings.image_size % multiple:
            raise InputError(
                f'data.data_cfg.image_size is {settings.image_size} in data.{subset}, and the '
                f'backbone takes multiples of {multiple}'
            )
        _require_normalization(model.backbone, config, subset)
        if settings.num_references < model.num_references:
            raise InputError(
                f'data.data_cfg.num_references is {settings.num_references} in data.{subset}, and '
                f'the model reads {model.num_references}: raise it'
            )
        if model.reads_skeleton and not settings.num_links:
            raise InputError(
                f'data.data_cfg.num_links is 0 in data.{subset}, and the model reads the skeleton: '
                'set it to the most links that a category has, or more'
            )


def _require_normalization(backbone: nn.Module, config: Config, subset: str) -> None:
    """Compare a pipeline's mean and standard deviation with what a backbone says it takes."""
    for number, step in enumerate(config.data[subset].get('pipeline', ())):
        for setting in {'mean', 'std'} & step.keys():
            wanted = getattr(backbone, f'input_{setting}', step[setting])
            if not np.allclose(step[setting], wanted):
                raise InputError(
                    f'data.{subset}.pipeline.{number}.{setting} must be {[*wanted]}: images come '
                    f'to {type(backbone).__name__} so; what its weights want is '
                    f'model.backbone.{setting}'
                )


def find_release(state: dict[str, Tensor]) -> Release:
    """The release that a checkpoint's weights belong to, by the names they have or could have.

    Raises:
        CheckpointError: no method's release knows such names.
    """
    for detector in POSENETS.module_dict.values():
        release = getattr(detector, 'release', None)
        if release is not None and (release.is_released(state) or release.is_ours(state)):
            return release
    raise CheckpointError('its names are of no method that has a release')


def place(model: nn.Module, config: Config, device: str | torch.device) -> nn.Module:
    """Move a model to a device, with the config's memory format and precision.

    Args:
        model: a detector.
        config: ``channels_last=True`` stores a pixel's channels together, which suits convolutions
            on many devices; ``precision`` is ``float32``, the default, ``bfloat16`` or ``float16``.
        device: where to run.

    Raises:
        InputError: there is no such precision, or this torch lacks it.
    """
    model.precision = choose_precision(config.get('precision', 'float32'), device)
    fold_backbones(model, kept=True)
    if config.get('channels_last', False):
        model.to(memory_format=torch.channels_last)
    return model.to(device)


def place_for_speed(model: nn.Module, config: Config, device: str | torch.device) -> nn.Module:
    """`place`, on the CPU with channels last unless the config says otherwise.

    It is faster there; its results differ by rounding from those of contiguous images, which
    `init_model` keeps.
    """
    on_cpu = torch.device(device).type == 'cpu'
    return place(model, {'channels_last': on_cpu, **config}, device)


def place_for_testing(model: nn.Module, config: Config, device: str | torch.device) -> nn.Module:
    """`place_for_speed`, with batch norms folded into the backbone's convolutions.

    For a model that learns no more, nor is saved: its weights have other names.
    """
    fold_backbones(model)
    return place_for_speed(model, config, device).eval()


def fold_backbones(model: nn.Module, kept: bool = False) -> None:
    """Fold batch norms into the convolutions of a model's backbones, where they can be.

    Args:
        model: a detector.
        kept: only in backbones whose weights come from elsewhere, never change and are in no
            checkpoint.
    """
    for name, module in [*model.named_children()]:
        if name.endswith('backbone') and (not kept or getattr(module, 'weights', None)):
            setattr(model, name, fold_batch_norms(module))
