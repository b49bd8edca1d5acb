"""Where the time of loading a sample goes."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import torch
from mmcv import FileClient
from torch.utils.data import default_collate

from fmmp.datasets.episode_dataset import EpisodeDataset

STEPS = {
    'LoadImageFromFile': 'decode',
    'LoadReducedImage': 'decode',
    'TopDownGetRandomScaleRotation': 'augment',
    'CropInstance': 'warp',
    'ToNormalizedTensor': 'normalise',
}
"""What the pipelines' steps do; others are called by their classes' names."""
READ, PADDING, REST, COLLATE = 'read', 'padding and references', 'rest', 'collate'


class _Reader:
    """A file client whose reading is timed apart from the step that reads."""

    def __init__(self, client: FileClient, clock: Callable) -> None:
        self.client, self.clock = client, clock

    def get(self, path: str) -> bytes:
        with self.clock(READ):
            return self.client.get(path)


def loading_times(
    dataset: EpisodeDataset,
    indices: Sequence[int],
    batch: int,
    read: Callable[[], float] = time.perf_counter,
) -> dict[str, float]:
    """Seconds a sample of each part of loading, in this process and one thread.

    Args:
        dataset: the data set.
        indices: the samples to load, after one that does not count.
        batch: samples that are collated together.
        read: reads the clock, such as ``time.process_time`` for the processor's seconds.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # as in a loader's worker
    try:
        dataset[indices[0]]
        with _timed(dataset, read) as (seconds, clock):
            start = read()
            samples = [dataset[index] for index in indices]
            whole = read() - start
            parts = dict(seconds)
            with clock(COLLATE):
                for first in range(0, len(samples), batch):
                    default_collate(samples[first : first + batch])
    finally:
        torch.set_num_threads(threads)
    parts[REST] = whole - sum(parts.values())
    parts[COLLATE] = seconds[COLLATE]
    return {part: value / len(indices) for part, value in parts.items()}


@contextmanager
def _timed(
    dataset: EpisodeDataset, read: Callable[[], float]
) -> Iterator[tuple[dict[str, float], Callable]]:
    """Time a data set's steps inside the block: the seconds by part, and the clock."""
    seconds, running = defaultdict(float), []

    @contextmanager
    def clock(part: str) -> Iterator[None]:
        """Time a part, but for the parts inside of it."""
        start = read()
        running.append(0.0)
        try:
            yield
        finally:
            spent = read() - start
            seconds[part] += spent - running.pop()
            if running:
                running[-1] += spent

    def timed(part: str, function: Callable) -> Callable:
        def call(*args: object) -> object:
            with clock(part):
                return function(*args)

        return call

    preparation = dataset.preparation
    compose, steps = preparation.read_and_prepare, preparation.read_and_prepare.transforms
    readers = [step for step in steps if hasattr(step, 'file_client_args')]
    for step in readers:
        step.file_client = _Reader(FileClient(**step.file_client_args), clock)
    names = [type(step).__name__ for step in steps]
    compose.transforms = [
        timed(STEPS.get(name, name), step) for name, step in zip(names, steps, strict=True)
    ]
    preparation.episode = timed(PADDING, preparation.episode)
    try:
        yield seconds, clock
    finally:
        del preparation.episode  # the method itself is the class's
        compose.transforms = steps
        for step in readers:
            step.file_client = None
