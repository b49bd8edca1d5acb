"""A config's data: what its subsets have in common is given once."""

from __future__ import annotations

from mmcv import Config
from mmpose.datasets import build_dataset as build

from fmmp.datasets.episode_dataset import EpisodeDataset
from fmmp.datasets.evaluation import TestEpisodes
from fmmp.datasets.settings import DataSettings


def subset_config(config: Config, subset: str) -> dict:
    """A subset's settings, completed by ``data.num_shots`` and ``data.data_cfg``.

    Args:
        config: the config; ``data[subset]`` may override what ``data`` has for all.
        subset: ``train``, ``val`` or ``test``.
    """
    data = config.data
    own = data[subset]
    common = {'num_shots': data.num_shots} if 'num_shots' in data else {}
    data_cfg = {**(data.get('data_cfg') or {}), **(own.get('data_cfg') or {})}
    return {**common, **own, 'data_cfg': data_cfg}


def build_dataset(config: Config, subset: str, **arguments: object) -> EpisodeDataset:
    """Build a subset's data set.

    Args:
        config: the config.
        subset: ``train``, ``val`` or ``test``.
        arguments: further arguments of the data set, such as ``seed``.
    """
    return build(subset_config(config, subset), arguments)


def data_settings(config: Config, subset: str = 'test') -> DataSettings:
    """How a subset's images are prepared."""
    return DataSettings.of(subset_config(config, subset)['data_cfg'])


def test_queries(config: Config) -> int:
    """Q, the queries of a test episode."""
    return subset_config(config, 'test').get('num_queries', TestEpisodes.default_queries)
