"""The starter: what finds keypoints on photographs with nothing but what install.sh brings.

The word ``starter`` stands in place of a checkpoint; see docs/starter.md.
"""

from __future__ import annotations

from pathlib import Path

from mmcv import Config
from mmpose.models.builder import POSENETS

import fmmp
from fmmp.errors import InputError

from .data import data_settings, subset_config
from .settings.reading import read_file

STARTER = 'starter'
MATCHING = 'starter/matching_efficientnet_lite0.py'  # the second floor, beside copying
_STARTER = 'starter/tuned_matching_efficientnet_lite0.py'


def starter_config(config: Config | None = None) -> Config:
    """The starter's config, on another config's data set if one is given.

    Args:
        config: whose test data (files, categories, shots, queries, K) and whose loaders, precision
            and the like are taken; the model, and how images and keypoints are prepared for it,
            are the starter's.
    """
    return _with_data(_STARTER, config)


def starter_file() -> Path:
    """The starter's own config file."""
    return _configs() / _STARTER


def matching_config(config: Config | None = None) -> Config:
    """The config of the second floor: matching without training, as `starter_config`."""
    return _with_data(MATCHING, config)


def resolve(config: Config, checkpoint: str | Path | None) -> tuple[Config, str | Path | None]:
    """What the word ``starter`` stands for, as a config and a checkpoint; others stay.

    Args:
        config: the config.
        checkpoint: a checkpoint's path, ``starter``, or None.
    """
    if str(checkpoint) == STARTER:
        return starter_config(config), None
    return config, checkpoint


def is_trained(config: Config) -> bool:
    """Whether a config's method has weights to train."""
    name = (config.get('model') or {}).get('type')
    method = POSENETS.get(name) if isinstance(name, str) else name
    return getattr(method, 'trainable', True)


def require_checkpoint(config: Config, checkpoint: str | Path | None) -> None:
    """Refuse to judge a method's random weights.

    Raises:
        InputError: the config's method is trained, and there is no checkpoint.
    """
    if checkpoint is None and is_trained(config):
        raise InputError(
            f'{config.model.type} is trained and needs a checkpoint: name one behind the config, '
            f'or `{STARTER}` to find keypoints without a training of your own'
        )


def _with_data(name: str, config: Config | None) -> Config:
    own = read_file(_configs() / name)
    if config is None:
        return own
    if config.get('data', {}).get('test') is None:
        raise InputError('data.test is missing: it says what the starter is to find')
    settings = subset_config(own, 'test')
    data = {key: config.data[key] for key in config.data if key not in ('train', 'val')}
    data['data_cfg'] = {
        **settings['data_cfg'],
        'num_keypoints': data_settings(config).num_keypoints,
    }
    data['test'] = {**config.data.test, 'pipeline': settings['pipeline'], 'data_cfg': {}}
    return Config({**config, 'model': own.model, 'data': data}, filename=config.filename)


def _configs() -> Path:
    """The folder of the configs: inside the installed package, or beside it in a clone."""
    package = Path(fmmp.__file__).resolve().parent
    inside, beside = package / 'configs', package.parent / 'configs'
    return inside if inside.is_dir() else beside
