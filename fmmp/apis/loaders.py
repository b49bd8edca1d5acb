"""Data loaders of episodes."""

from __future__ import annotations

import atexit
import os
import signal
import weakref
from collections.abc import Iterator

import cv2
import torch
from mmcv import Config
from mmcv.runner import get_dist_info
from mmpose.datasets import DATASETS
from torch.utils.data import DataLoader, Dataset

from fmmp.datasets.sampler import EpisodeSampler

from .data import build_dataset
from .settings.building import building
from .settings.signatures import signature_of


class EpisodeLoader(DataLoader):
    """torch's loader, whose worker processes end when it is told to, or with the main process.

    Of themselves they would not: Python waits for them at exit, they ignore SIGTERM (see
    `_start_worker`), and after an error its traceback keeps the iterator that would tell them.
    """

    _latest = None  # the iterator that has the workers

    def __iter__(self) -> Iterator:
        _OPEN.add(self)
        self._latest = super().__iter__()
        return self._latest

    def close(self) -> None:
        """End the workers; one that does not listen is killed."""
        iterator, self._latest, self._iterator = self._latest, None, None
        if iterator is not None and self.num_workers:
            iterator._shutdown_workers()
            for worker in iterator._workers:
                worker.kill()


_OPEN = weakref.WeakSet()


@atexit.register  # later than multiprocessing's own, so it runs before that waits for the workers
def close_loaders() -> None:
    """End every loader's workers."""
    for loader in [*_OPEN]:
        loader.close()


def build_episodes(config: Config, subset: str, **given: object) -> EpisodeLoader:
    """Build a config's data set and its loader.

    Args:
        config: the config.
        subset: ``train``, ``val`` or ``test``.
        given: of the data set, unless the config gives it.

    Raises:
        InputError: a file or a setting cannot be used.
    """
    settings = config.data[subset]
    # Other names, such as seed, may be plain words.
    names = [name for name in signature_of(DATASETS.get(settings.type)).hints if '_' in name]
    with building(f'data.{subset}', settings, names):
        dataset = build_dataset(config, subset, **given)
    with building(f'data.{subset}_dataloader', {}):
        return build_loader(dataset, **loader_settings(config.data, subset))


def build_loader(
    dataset: Dataset, samples_per_gpu: int, workers_per_gpu: int, **kwargs: object
) -> EpisodeLoader:
    """A loader of this process's share of the episodes; the epoch's order is the data set's.

    Close it (``contextlib.closing``) to end its workers.

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
    return EpisodeLoader(
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
        data: the config's ``data``, with settings for all and, say, in ``val_dataloader``. Without
            ``workers_per_gpu`` the machine's cores decide.
        subset: ``train``, ``val`` or ``test``.
    """
    settings = {'samples_per_gpu': 1, 'workers_per_gpu': workers_by_cores()}
    settings.update({name: data[name] for name in settings if name in data})
    return {**settings, **(data.get(f'{subset}_dataloader') or {})}


def workers_by_cores() -> int:
    """Worker processes of each process: one a core but the process's own, at most 16.

    Without a GPU it is 1, which loads faster than the model computes; it takes the cores itself.
    """
    if not torch.cuda.is_available():
        return 1
    known = hasattr(os, 'sched_getaffinity')  # cores that this process may use
    cores = len(os.sched_getaffinity(0)) if known else os.cpu_count() or 1
    return min(max(cores // int(os.environ.get('LOCAL_WORLD_SIZE', 1)) - 1, 1), 16)
