"""The order in which a data loader takes episodes."""

import math
from collections.abc import Iterator, Sized

from torch.utils.data import Sampler


class EpisodeSampler(Sampler[int]):
    """Give every process its share of an epoch's episodes, and tell the data set the epoch.

    Sample i of epoch e has the index e · len(dataset) + i, from which the data set knows both, in
    whatever worker process it lives. Training episodes are shuffled by the data set. Shares are
    equally long: some first samples come twice where the processes do not divide the epoch.

    Args:
        dataset: the data set to sample from.
        num_replicas: number of processes.
        rank: this process's number.
    """

    def __init__(self, dataset: Sized, num_replicas: int = 1, rank: int = 0) -> None:
        self.dataset = dataset
        self.num_replicas = num_replicas
        self.rank = rank
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch to sample next; MMCV's ``DistSamplerSeedHook`` calls this."""
        self.epoch = epoch

    def __iter__(self) -> Iterator[int]:
        size = len(self.dataset)
        for position in range(len(self)):
            yield self.epoch * size + (self.rank + position * self.num_replicas) % size

    def __len__(self) -> int:
        return math.ceil(len(self.dataset) / self.num_replicas)
