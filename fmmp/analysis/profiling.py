"""Where the time of a training step and of a test episode goes."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path

import torch
from mmcv import Config
from torch import Tensor
from torch.profiler import ProfilerActivity, profile

from fmmp.apis import init_model
from fmmp.apis.data import build_dataset, test_queries
from fmmp.apis.loaders import EpisodeLoader, build_loader, loader_settings
from fmmp.apis.model import place_for_speed, place_for_testing
from fmmp.apis.optimizer import build_optimizer
from fmmp.files import atomic_path

from .parts import divided_by_part, random_episodes
from .tables import format_table

Seconds = dict[str, float]
WAITING, REST = 'waiting for data', 'rest of the forward pass'


class _Run:
    """What is run again and again, on batches of a loader or of noise."""

    loader: EpisodeLoader | None = None  # of the data, if they are loaded

    def close(self) -> None:
        """End the loader's workers."""
        if self.loader is not None:
            self.loader.close()


class TrainingStep(_Run):
    """Training steps of a config's model with random weights.

    Args:
        config: the config; its batch is of ``samples_per_gpu`` episodes, as a training's.
        device: where to run.
        data: load batches as the config says, instead of taking one of noise again and again.
    """

    def __init__(self, config: Config, device: str | torch.device, data: bool = False) -> None:
        noise = '' if data else ' of noise'
        settings = loader_settings(config.data, 'train')
        episodes = settings['samples_per_gpu']
        self.title = f'a training step of {episodes} episodes{noise}'
        self.model = place_for_speed(init_model(config), config, device).train()
        self.optimizer = build_optimizer(self.model, config, processes=1)
        if data:
            dataset = build_dataset(config, 'train')
            self.loader = build_loader(dataset, **settings)
            self.batches = _endless(self.loader)
        else:
            batch = random_episodes(config, 'train', episodes)
            self.batches = _endless([vars(batch)])

    def __call__(self) -> Seconds:
        """Take a step; returns the seconds of each part."""
        read = _clock(self.model)
        times = [read()]
        batch = next(self.batches)
        times.append(read())
        with divided_by_part(self.model, read) as parts:
            loss = self.model.train_step(batch)['loss']
        times.append(read())
        self.optimizer.zero_grad()
        loss.backward()
        times.append(read())
        self.optimizer.step()
        times.append(read())
        data, forward, backward, optimizer = (end - start for start, end in pairwise(times))
        rest = forward - sum(parts.values())
        return {WAITING: data, **parts, REST: rest, 'backward': backward, 'optimiser': optimizer}


class TestEpisode(_Run):
    """Test episodes of a config's model with random weights.

    Args:
        config: the config; its episodes have ``num_queries`` queries, as a test's.
        device: where to run.
        data: load episodes as the config says, instead of taking one of noise again and again.
    """

    __test__ = False  # no test class, whatever its name tells pytest

    def __init__(self, config: Config, device: str | torch.device, data: bool = False) -> None:
        queries = test_queries(config)
        noise = '' if data else ' of noise'
        self.title = f'a test episode of {queries} queries{noise}'
        self.model = place_for_testing(init_model(config), config, device)
        if data:
            dataset = build_dataset(config, 'test')
            settings = loader_settings(config.data, 'test')
            self.loader = build_loader(dataset, **{**settings, 'samples_per_gpu': 1})
            self.batches = _endless(self.loader)
        else:
            batch = random_episodes(config, 'test', 1, queries)
            self.batches = _endless([{**vars(batch), 'index': torch.zeros(1, dtype=torch.long)}])

    def __call__(self) -> Seconds:
        """Predict an episode; returns the seconds of each part."""
        read = _clock(self.model)
        start = read()
        batch = next(self.batches)
        loaded = read()
        with torch.no_grad(), divided_by_part(self.model, read) as parts:
            self.model(return_loss=False, **batch)
        rest = read() - loaded - sum(parts.values())
        return {WAITING: loaded - start, **parts, REST: rest}


def describe(device: torch.device) -> str:
    """A device's name, and how many threads the CPU gives."""
    name = torch.cuda.get_device_name(device) if device.type == 'cuda' else 'CPU'
    return f'{name}, {torch.get_num_threads()} threads'


def median_times(run: Callable[[], Seconds], repeats: int = 5) -> Seconds:
    """The median of each part's seconds, after one run that does not count."""
    run()
    times = [run() for _ in range(repeats)]
    return {part: statistics.median(one[part] for one in times) for part in times[0]}


def format_times(title: str, seconds: Seconds) -> str:
    """The parts' milliseconds and shares as a table."""
    total = sum(seconds.values())
    rows = [
        [part, f'{1000 * value:.1f}', f'{value / total:.1%}'] for part, value in seconds.items()
    ]
    rows.append(['total', f'{1000 * total:.1f}', ''])
    return format_table([title, 'ms', 'share'], rows, 'markdown')


def write_trace(run: Callable[[], Seconds], path: str | Path) -> None:
    """Write one run's trace for Perfetto (ui.perfetto.dev) or ``chrome://tracing``."""
    activities = [ProfilerActivity.CPU]
    if torch.cuda.is_available():
        activities.append(ProfilerActivity.CUDA)
    with profile(activities=activities) as profiler:
        run()
    with atomic_path(path) as scratch:
        profiler.export_chrome_trace(str(scratch))


def _clock(model: torch.nn.Module) -> Callable[[], float]:
    """A clock that waits for what the model's device has still to do."""
    device = next(model.parameters()).device

    def read() -> float:
        if device.type == 'cuda':
            torch.cuda.synchronize(device)
        return time.perf_counter()

    return read


def _endless(batches: object) -> Iterator[dict[str, Tensor]]:
    while True:
        yield from batches
