"""Data loaders of episodes."""

from __future__ import annotations

import signal

import cv2
import torch
from mmcv.runner import get_dist_info
from torch.utils.data import DataLoader, Dataset

from fmmp.datasets.sampler import EpisodeSampler


def build_loader(
    dataset: Dataset, samples_per_gpu: int, workers_per_gpu: int, **kwargs: object
) -> DataLoader:
    """A loader of this process's share of the episodes; the epoch's order is the data set's.

    Args:
        dataset: an episode data set.
        samples_per_gpu: episodes a batch.
        workers_per_gpu: worker processes.
        kwargs: further arguments of torch's ``DataLoader``.
    """
    rank, world_size = get_dist_info()
    settings = dict(
        pin_memory=torch.cuda.is_available(),
        persistent_workers=workers_per_gpu > 0,
        # Its draws for the workers, who need none, shall not depend on whether there are any.
        generator=torch.Generator(),
    )
    return DataLoader(
        dataset,
        batch_size=samples_per_gpu,
        sampler=EpisodeSampler(dataset, num_replicas=world_size, rank=rank),
        num_workers=workers_per_gpu,
        worker_init_fn=_start_worker,
        **{**settings, **kwargs},
    )


def _start_worker(_: int) -> None:
    """One thread, for the workers themselves run side by side; the main process ends them."""
    cv2.setNumThreads(0)
    torch.set_num_threads(1)
    for number in (signal.SIGINT, signal.SIGTERM):  # Ctrl-C and schedulers send them to all
        signal.signal(number, signal.SIG_IGN)


def loader_settings(data: dict, subset: str) -> dict:
    """The loader's settings in a config: the common ones, then those of one subset's loader.

    Args:
        data: the config's ``data``, with settings for all and, say, in ``val_dataloader``.
        subset: ``train``, ``val`` or ``test``.
    """
    settings = {'samples_per_gpu': 1, 'workers_per_gpu': 0}
    settings.update({name: data[name] for name in settings if name in data})
    return {**settings, **data.get(f'{subset}_dataloader', {})}
