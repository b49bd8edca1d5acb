"""Time and memory of FGSA's projection and sampling, fused against plain.

One miner's 8 branches at the release's sizes: 70 keypoints, 8 heads a branch, 3 levels, 4 points,
256 channels, 1344 tokens. Offsets, attention weights and output projections are excluded.

    plain   each branch projects all tokens to values and samples them with ``grid_sample``
    fused   ``fused_ms_deform_attn``

The two run in turn and the medians are compared; memory is the peak above the inputs of a forward
and backward pass at batch 1, gradients included.

    python benchmarks/fgsa_op.py [--device cuda] [--threads 2] [--json]

``--json`` prints one object as the last line: ``forward_ratio_b1``, ``forward_ratio_b16``,
``forward_backward_ratio_b1`` and ``forward_backward_ratio_b16`` are plain's time over fused's
(higher is better), ``memory_ratio`` is fused's memory over plain's (lower is better).
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from fmmp.models.ops import fused_ms_deform_attn, library  # not found? bash install.sh
from torch import Tensor
from torch.profiler import ProfilerActivity, profile

BRANCHES, HEADS, POINTS, DIMS, KEYPOINTS = 8, 8, 4, 256, 70
LEVELS = [(8, 8), (16, 16), (32, 32)]
STARTS = [0, 64, 320]


def make_inputs(batch: int, device: str) -> list[Tensor]:
    """Tokens, locations and weights of all branches' heads, value projections and biases."""
    torch.manual_seed(0)
    # Around keypoints anywhere, the ring that the offsets start as, and some noise.
    angle = torch.arange(HEADS) * (2 * math.pi / HEADS)
    ring = torch.stack((angle.cos(), angle.sin()), dim=-1)[:, None, None]
    offsets = ring * torch.arange(1, POINTS + 1)[:, None]  # (heads, 1, points, 2)
    sizes = batch, KEYPOINTS, BRANCHES, HEADS, len(LEVELS), POINTS
    offsets = offsets + torch.randn(*sizes, 2) / 2
    locations = torch.rand(batch, KEYPOINTS, BRANCHES, 1, 1, 1, 2)
    locations = locations + offsets / torch.tensor(LEVELS).flip(-1)[:, None]
    weights = torch.randn(sizes).flatten(-2).softmax(-1)
    inputs = [
        torch.randn(batch, sum(height * width for height, width in LEVELS), DIMS),
        locations.flatten(2, 3),
        weights.view(batch, KEYPOINTS, BRANCHES * HEADS, len(LEVELS), POINTS),
        torch.randn(BRANCHES * DIMS, DIMS) / math.sqrt(DIMS),
        torch.randn(BRANCHES * DIMS),
    ]
    return [one.to(device).requires_grad_() for one in inputs]


def fused(
    tokens: Tensor, locations: Tensor, weights: Tensor, matrix: Tensor, bias: Tensor
) -> Tensor:
    """All branches at once: (B, K, branches * D)."""
    return fused_ms_deform_attn(tokens, LEVELS, STARTS, locations, weights, matrix, bias)


def plain(
    tokens: Tensor, locations: Tensor, weights: Tensor, matrix: Tensor, bias: Tensor
) -> Tensor:
    """Branch by branch, as the plain PyTorch version of multi-scale deformable attention."""
    batch = len(tokens)
    results = []
    for branch_locations, branch_weights, branch_matrix, branch_bias in zip(
        locations.split(HEADS, 2),
        weights.split(HEADS, 2),
        matrix.split(DIMS),
        bias.split(DIMS),
        strict=True,
    ):
        value = F.linear(tokens, branch_matrix, branch_bias).view(batch, -1, HEADS, DIMS // HEADS)
        grids = (2 * branch_locations - 1).transpose(1, 2).flatten(0, 1)
        samples = []
        for level, ((height, width), start) in enumerate(zip(LEVELS, STARTS, strict=True)):
            maps = value[:, start : start + height * width].flatten(2).transpose(1, 2)
            maps = maps.reshape(batch * HEADS, DIMS // HEADS, height, width)
            samples.append(F.grid_sample(maps, grids[:, :, level], align_corners=False))
        branch_weights = branch_weights.transpose(1, 2).reshape(batch * HEADS, 1, KEYPOINTS, -1)
        attended = (torch.cat(samples, -1) * branch_weights).sum(-1)
        results.append(attended.view(batch, DIMS, KEYPOINTS).transpose(1, 2))
    return torch.cat(results, -1)


def forward(method: Callable, inputs: list[Tensor]) -> None:
    """The result alone."""
    with torch.no_grad():
        method(*inputs)


def forward_backward(method: Callable, inputs: list[Tensor]) -> None:
    """The result and the gradients of all inputs."""
    torch.autograd.grad(method(*inputs).sum(), inputs)


def seconds(run: Callable, device: str) -> float:
    """Time of one run."""
    synchronize(device)
    start = time.perf_counter()
    run()
    synchronize(device)
    return time.perf_counter() - start


def synchronize(device: str) -> None:
    """Wait for a GPU."""
    if device == 'cuda':
        torch.cuda.synchronize()


def compare(run: Callable, inputs: list[Tensor], device: str, limit: float) -> tuple[float, float]:
    """Median seconds of plain and of fused, run in turn for `limit` seconds, 5 to 50 times."""
    times = {plain: [], fused: []}
    for method in times:
        run(method, inputs)
    start = time.perf_counter()
    while len(times[fused]) < 5 or (time.perf_counter() - start < limit and len(times[fused]) < 50):
        for method, measured in times.items():
            measured.append(seconds(lambda method=method: run(method, inputs), device))
    return statistics.median(times[plain]), statistics.median(times[fused])


def peak_memory(run: Callable, device: str) -> int:
    """The most bytes that a run holds at once, above what was there before."""
    if device == 'cuda':
        torch.cuda.synchronize()
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        run()
        return torch.cuda.max_memory_allocated() - before
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as record:
        run()
    held = peak = 0
    events = record.profiler.kineto_results.events()
    memory = [event for event in events if event.name() == '[memory]']
    for event in sorted(memory, key=started):
        held += event.nbytes()
        peak = max(peak, held)
    return peak


def started(event: Any) -> int:
    """When an event of the profiler was, in the unit of this version of torch."""
    return event.start_ns() if hasattr(event, 'start_ns') else event.start_us()


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('--device', choices=['cpu', 'cuda'], default='cpu')
    parser.add_argument('--threads', type=int, default=2, help='CPU threads (default: 2)')
    parser.add_argument('--json', action='store_true', help='one JSON object as the last line')
    arguments = parser.parse_args()
    device = arguments.device
    if device not in library.DEVICES:
        sys.exit(f'nothing to compare, the ops are not compiled for {device}: {library.REASON}')
    torch.set_num_threads(arguments.threads)

    ratios = {}
    print(f'{"":24}{"plain":>12}{"fused":>12}{"ratio":>8}')
    for run, name in ((forward, 'forward'), (forward_backward, 'forward_backward')):
        for batch in (1, 16):
            times = compare(run, make_inputs(batch, device), device, limit=20)
            ratio = ratios[f'{name}_ratio_b{batch}'] = times[0] / times[1]
            milliseconds = ''.join(f'{1000 * one:9.2f} ms' for one in times)
            print(
                f'{name.replace("_", " + ")}, batch {batch}'.ljust(24)
                + f'{milliseconds}{ratio:8.2f}'
            )
    inputs = make_inputs(1, device)
    memory = [
        peak_memory(lambda method=method: forward_backward(method, inputs), device)
        for method in (plain, fused)
    ]
    ratios['memory_ratio'] = memory[1] / memory[0]
    megabytes = ''.join(f'{one / 2**20:9.1f} MB' for one in memory)
    print('peak memory, batch 1'.ljust(24) + f'{megabytes}{ratios["memory_ratio"]:8.2f}')
    if arguments.json:
        print(json.dumps({key: round(ratio, 3) for key, ratio in ratios.items()}))


if __name__ == '__main__':
    main()
