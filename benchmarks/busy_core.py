"""Training on the CPU beside a busy process, by how OpenMP's threads wait for each other.

    python benchmarks/busy_core.py [--repeats 5] [--threads 2] [--spins 3000 10000 …] [--json]

Steps of the demo's training, of noise. Each way of waiting has a process of its own, since OpenMP
reads its settings when torch is imported; the processes take turns, step by step, while the others
sleep. Then the same beside a process that does nothing but count.

    one thread    nothing to wait for
    as it comes   GNU's OpenMP without a setting: a thread that waits spins 300000 times, which
                  takes milliseconds
    N spins       GOMP_SPINCOUNT=N, of --spins; 0 sleeps at once. FMMP sets 3000, unless the user
                  has set something (fmmp/threads.py)

Prints medians, and the ratio to one thread's in the same surroundings (lower is better).
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

CONFIG = Path(__file__).resolve().parent.parent / 'configs/demo/synthpose_matched.py'
OPENMP = ('OMP_NUM_THREADS', 'OMP_WAIT_POLICY', 'GOMP_SPINCOUNT', 'KMP_BLOCKTIME', 'KMP_LIBRARY')
BUSY = 'while True: pass'


def ways(threads: int, spins: Sequence[int]) -> dict[str, dict[str, str]]:
    """The environment of each way of waiting."""
    several = {'OMP_NUM_THREADS': str(threads)}
    return {
        'one thread': {'OMP_NUM_THREADS': '1'},
        'as it comes': {**several, 'GOMP_SPINCOUNT': '300000'},
        **{f'{count} spins': {**several, 'GOMP_SPINCOUNT': str(count)} for count in spins},
    }


class Trainer:
    """A process that takes a training step when it is told to.

    Args:
        environment: its settings of OpenMP.
    """

    def __init__(self, environment: dict[str, str]) -> None:
        kept = {name: value for name, value in os.environ.items() if name not in OPENMP}
        self.process = subprocess.Popen(
            [sys.executable, __file__, '--trainer'],
            env={**kept, **environment},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def step(self) -> float:
        """Take a step; its seconds."""
        print('step', file=self.process.stdin, flush=True)
        return float(self.process.stdout.readline())


def train() -> None:
    """Take a step for each line that is read, and print its seconds."""
    from fmmp.analysis.profiling import TrainingStep  # not found? bash install.sh
    from fmmp.apis.settings.reading import read_file
    from fmmp.memory import keep_freed_memory

    keep_freed_memory()
    config = read_file(CONFIG, {'data.samples_per_gpu': 4})
    step = TrainingStep(config, 'cpu')
    for _ in sys.stdin:
        print(sum(step().values()), flush=True)


def measure(trainers: dict[str, Trainer], repeats: int) -> dict[str, float]:
    """Median seconds of a step of each; they take turns, after one that does not count."""
    times = [{name: one.step() for name, one in trainers.items()} for _ in range(repeats + 1)]
    return {name: statistics.median(turn[name] for turn in times[1:]) for name in trainers}


def main() -> None:
    """Measure alone and beside a busy process, and print."""
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('--repeats', type=int, default=5, help='[5]')
    parser.add_argument('--threads', type=int, default=2, help='[2]')
    parser.add_argument(
        '--spins', type=int, nargs='*', default=[3000, 10000, 30000], help='[3000 10000 30000]'
    )
    parser.add_argument('--json', action='store_true', help='one JSON object as the last line')
    parser.add_argument('--trainer', action='store_true', help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.trainer:
        train()
        return
    trainers = {
        name: Trainer(one) for name, one in ways(arguments.threads, arguments.spins).items()
    }
    ratios = {}
    try:
        print(f'{"seconds a step":24}' + ''.join(f'{name:>20}' for name in trainers))
        seconds = {'alone': measure(trainers, arguments.repeats)}
        busy = subprocess.Popen([sys.executable, '-c', BUSY])
        try:
            seconds['beside a busy process'] = measure(trainers, arguments.repeats)
        finally:
            busy.kill()
        for surroundings, medians in seconds.items():
            ratios[surroundings] = {n: s / medians['one thread'] for n, s in medians.items()}
            cells = [f'{s:.2f} ({ratios[surroundings][n]:.2f})' for n, s in medians.items()]
            print(f'{surroundings:24}' + ''.join(f'{cell:>20}' for cell in cells))
    finally:
        for one in trainers.values():
            one.process.kill()
    if arguments.json:
        print(json.dumps(ratios))


if __name__ == '__main__':
    main()
