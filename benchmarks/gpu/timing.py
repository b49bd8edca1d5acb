"""Time and memory of a run on a device."""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable

import torch

OUT_OF_MEMORY = torch.cuda.OutOfMemoryError


def synchronize(device: str) -> None:
    """Wait for a GPU."""
    if device.startswith('cuda'):
        torch.cuda.synchronize()


def median_seconds(run: Callable[[], object], device: str, limit: float = 1.0) -> float:
    """Median time of a run, of those that fit the limit, after two that do not count.

    Runs that are short follow each other without waiting for the device between them, as they do
    in use.
    """
    run()
    once = _seconds(run, device, 1)
    together = max(1, min(200, int(limit / 10 / max(once, 1e-6))))
    times, start = [], time.perf_counter()
    while not times or (time.perf_counter() - start < limit and len(times) < 50):
        times.append(_seconds(run, device, together) / together)
    return statistics.median(times)


def _seconds(run: Callable[[], object], device: str, count: int) -> float:
    synchronize(device)
    start = time.perf_counter()
    for _ in range(count):
        run()
    synchronize(device)
    return time.perf_counter() - start


def peak_gigabytes(run: Callable[[], object], device: str) -> float | None:
    """The most memory that is taken while it runs; None on a CPU."""
    if not device.startswith('cuda'):
        return None
    free_memory()
    torch.cuda.reset_peak_memory_stats()
    run()
    torch.cuda.synchronize()
    return torch.cuda.max_memory_allocated() / 1e9


def free_memory() -> None:
    """Give back what nothing holds any more."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def copy_bandwidth(device: str) -> float:
    """Bytes a second of a copy within the device's memory, read and written: what it can do."""
    size = 2**30 if device.startswith('cuda') else 2**26
    source = torch.zeros(size, dtype=torch.uint8, device=device)
    target = torch.empty_like(source)
    return 2 * size / median_seconds(lambda: target.copy_(source), device, 0.3)
