"""Lose a node of a distributed training, let it rejoin, and compare with a training undisturbed.

    python benchmarks/node_loss.py [--seed 0]

Two nodes of two processes each, which are two torchruns on this machine, train a small model on the
CPU (gloo) by ``tools/dist_train.sh`` with ``RESTARTS`` and ``--auto-resume``. At a random moment
after the first checkpoint the second node is killed, torchrun and processes, with SIGKILL; two
seconds later its command is started again. torchrun then starts the processes of both nodes anew,
and they go on from the newest checkpoint by themselves. Position, checkpoints and best epoch must
be those of a training that nothing disturbed, and weights and the optimiser's state within 1e-5 of
its: the order in which gradients are added follows from torch's buckets, which it orders anew after
the first step of each start.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import torch
from kill_and_resume import result, small_config, write_dataset

ROOT = Path(__file__).resolve().parent.parent
NODES, PROCESSES, EPOCHS = 2, 2, 12
ALLOWED = 1e-5


class Training:
    """A training on several nodes.

    Args:
        config: its config file.
        work_dir: its work directory.
    """

    def __init__(self, config: Path, work_dir: Path) -> None:
        self.config, self.work_dir = config, work_dir
        with socket.socket() as free:
            free.bind(('127.0.0.1', 0))
            self.port = free.getsockname()[1]
        self.nodes = [self.start(0)]
        while not self.is_met():  # on one machine the first to come keeps the place where all meet
            time.sleep(0.05)
        self.nodes += [self.start(number) for number in range(1, NODES)]

    def is_met(self) -> bool:
        """Whether the first node listens where all meet."""
        with socket.socket() as probe:
            return probe.connect_ex(('127.0.0.1', self.port)) == 0

    def start(self, number: int) -> subprocess.Popen:
        """Start a node; what it prints is in a file beside the work directory."""
        meeting = {'MASTER_ADDR': '127.0.0.1', 'PORT': str(self.port), 'RESTARTS': '3'}
        each = {'NNODES': str(NODES), 'OMP_NUM_THREADS': '1', 'PYTHON': sys.executable}
        command = [ROOT / 'tools/dist_train.sh', self.config, PROCESSES, '--work-dir']
        command += [self.work_dir, '--seed', 0, '--deterministic', '--auto-resume']
        self.work_dir.parent.mkdir(exist_ok=True)
        with open(f'{self.work_dir}.node_{number}', 'a') as output:
            return subprocess.Popen(
                [*map(str, command)],
                env={**os.environ, **meeting, **each},
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    def lose(self, number: int) -> None:
        """Kill a node: torchrun, its processes, and theirs."""
        for process in family(self.nodes[number].pid):
            try:
                os.kill(process, signal.SIGKILL)
            except ProcessLookupError:  # it ended with its parent
                continue
        self.nodes[number].wait()

    def finish(self) -> None:
        """Wait for the end of all nodes; if one fails, end the others."""
        while any(node.poll() is None for node in self.nodes):
            if any(node.poll() for node in self.nodes):
                for other in range(NODES):
                    self.lose(other)
            time.sleep(0.1)
        for number, node in enumerate(self.nodes):
            if node.returncode:
                print(Path(f'{self.work_dir}.node_{number}').read_text()[-5000:])
                raise RuntimeError(f'node {number} failed')


def family(process: int) -> list[int]:
    """A process and all that have come from it."""
    tasks = Path(f'/proc/{process}/task')
    children = [int(one) for path in tasks.glob('*/children') for one in path.read_text().split()]
    return [process, *(one for child in children for one in family(child))]


def difference(one: object, other: object) -> float:
    """The largest difference of two numbers, infinite where anything else differs."""
    if isinstance(one, torch.Tensor) and one.shape == other.shape:
        return (one.double() - other.double()).abs().max().item() if one.numel() else 0.0
    if isinstance(one, dict) and one.keys() == other.keys():
        return max((difference(one[key], other[key]) for key in one), default=0.0)
    if isinstance(one, list) and len(one) == len(other):
        return max(map(difference, one, other), default=0.0)
    return 0.0 if one == other else float('inf')


def main() -> None:
    """Train twice, once disturbed, compare, report."""
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('--seed', type=int, default=0, help='of the moment [0]')
    draw = random.Random(parser.parse_args().seed)
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        settings = small_config(write_dataset(folder / 'data'), folder / 'work')
        settings.total_epochs = EPOCHS
        config = folder / 'small.py'
        settings.dump(str(config))

        start = time.monotonic()
        Training(config, folder / 'undisturbed').finish()
        duration = time.monotonic() - start
        print(f'undisturbed: {duration:.0f} s', flush=True)

        start = time.monotonic()
        training = Training(config, folder / 'disturbed')
        first = folder / 'disturbed/epoch_1.pth'
        while not first.exists():
            time.sleep(0.01)
        time.sleep(draw.uniform(0, 1))
        training.lose(1)
        kept = sorted(path.name for path in (folder / 'disturbed').glob('epoch_*.pth'))
        print(
            f'node 1 lost after {time.monotonic() - start:.0f} s, with {", ".join(kept)}',
            flush=True,
        )
        time.sleep(2)
        training.nodes[1] = training.start(1)
        rejoined = time.monotonic()
        training.finish()
        print(f'{time.monotonic() - rejoined:.0f} s from its return to the end')

        expected, found = (result(folder / name) for name in ('undisturbed', 'disturbed'))
        logs = len([*(folder / 'disturbed').glob('*.log')])
    if logs < 2:
        sys.exit('the training came to its end before the node was lost: nothing was shown')
    worst = {name: difference(expected[name], found[name]) for name in expected}
    for name, apart in worst.items():
        print(f'{name}: {f"at most {apart:.1e} apart" if apart else "the same"}')
    sys.exit(max(worst.values()) > ALLOWED)


if __name__ == '__main__':
    main()
