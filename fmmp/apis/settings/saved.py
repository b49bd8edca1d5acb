"""The settings that a checkpoint remembers, and how a config differs from them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_args

from mmcv import Config
from mmcv.runner import HOOKS, OPTIMIZERS
from mmpose.datasets import DATASETS, PIPELINES
from mmpose.models.builder import MODELS

from fmmp.datasets.settings import DataSettings

from ..data import subset_config
from .signatures import REQUIRED, signature_of

RESUMED = (
    'model',
    'data.train',
    'data.val',
    'optimizer',
    'auto_scale_lr',
    'optimizer_config',
    'lr_config',
    'precision',
)
"""What a training that goes on must share with its beginning."""

TESTED = ('model', 'data.test.data_cfg', 'data.test.pipeline')
"""What a test must share with the training: the method, and how it sees an episode."""

WITHOUT_EFFECT = ('model.test_cfg',)
"""What changes no result: how many queries are decoded at once."""


def settings_of(config: Config) -> dict[str, Any]:
    """The settings that change what is computed, as plain values.

    They are those of the model, the data sets, the optimisation and the precision, without files
    and folders and without the weights that a model starts from.
    """
    subsets = [subset for subset in ('train', 'val', 'test') if config.data.get(subset)]
    data = {subset: _without_files(subset_config(config, subset)) for subset in subsets}
    model = {name: value for name, value in config.model.items() if name != 'pretrained'}
    rest = {name: config.get(name) or {} for name in ('optimizer', 'optimizer_config', 'lr_config')}
    scaling = config.get('auto_scale_lr') or {}
    rest['auto_scale_lr'] = scaling if scaling.get('enable') else {}
    rest['precision'] = config.get('precision', 'float32')
    return _plain({'model': model, 'data': data, **rest})


def differences(saved: Mapping | None, config: Config, parts: tuple[str, ...]) -> list[str]:
    """Compare a checkpoint's settings with a config's.

    What only one of them gives is compared with the default of the class that takes it.

    Args:
        saved: what `settings_of` gave for the training; None if the checkpoint has none.
        config: the config.
        parts: dotted names of the settings to look at.

    Returns:
        Lines that name a setting, and its values in the checkpoint and in the config.
    """
    if saved is None:
        return []
    found, now = [], settings_of(config)
    for part in parts:
        there, here = (_part(settings, part) for settings in (saved, now))
        if there is not None and here is not None:
            _compare(part, there, here, found)
    return found


def _part(settings: Mapping, name: str) -> object:
    for key in name.split('.'):
        settings = (settings or {}).get(key)
    return settings


def _compare(path: str, there: object, here: object, found: list[str]) -> None:
    if path in WITHOUT_EFFECT:
        return
    if isinstance(there, Mapping) and isinstance(here, Mapping):
        if there.get('type') != here.get('type'):  # what else they hold belongs to other classes
            there, here = ({'type': one.get('type')} for one in (there, here))
        for name in dict.fromkeys([*there, *here]):
            default = _default(path, here.get('type'), name)
            values = there.get(name, default), here.get(name, default)
            _compare(f'{path}.{name}', *values, found)
    elif _are_lists_of_dicts(there, here):
        for number, values in enumerate(zip(there, here, strict=True)):
            _compare(f'{path}.{number}', *values, found)
    elif _by_name(there) != _by_name(here):
        there, here = ('not set' if v is REQUIRED else repr(v) for v in (there, here))
        found.append(f'{path} is {there} in the checkpoint and {here} in the config')


def _by_name(value: object) -> object:
    """A file that a config names beside itself, wherever the two lie; other values stay."""
    return Path(value).name if isinstance(value, str) and Path(value).is_absolute() else value


def _are_lists_of_dicts(*values: object) -> bool:
    return (
        all(isinstance(value, list) for value in values)
        and len({len(value) for value in values}) == 1
        and all(isinstance(item, Mapping) for value in values for item in value)
    )


def _class_of(name: object) -> type | None:
    for registry in (MODELS, DATASETS, PIPELINES, OPTIMIZERS, HOOKS):
        found = registry.get(name) if isinstance(name, str) else None
        if found is not None:
            return found
    return None


def _default(path: str, type_name: object, name: str) -> object:
    found = _class_of(type_name)
    if path.endswith('.data_cfg') and name != 'padding':  # whose default depends on the data set
        found = DataSettings
    return _plain(signature_of(found).defaults.get(name, REQUIRED)) if found else REQUIRED


def _without_files(dataset: Mapping) -> dict:
    """A data set's settings without those that its class annotates as paths."""
    found = _class_of(dataset.get('type'))
    hints = signature_of(found).hints if found else {}
    return {n: v for n, v in dataset.items() if Path not in get_args(hints.get(n))}


def _plain(value: object) -> object:
    if isinstance(value, Mapping):
        return {str(name): _plain(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if value is REQUIRED or value is None or type(value) in (bool, int, float, str):
        return value
    return getattr(value, '__name__', None) or str(value)
