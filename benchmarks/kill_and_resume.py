"""Kill trainings with SIGKILL at random moments, resume them, and compare with one never stopped.

    python benchmarks/kill_and_resume.py [--kills 50] [--seed 0]

A small training of three epochs runs in a process of its own. Half the kills come at any moment,
half within a tenth of a second of the beginning of a save. After each kill ``latest.pth``, where
there is one, must be readable; then the same training starts again with ``auto_resume``. Each one
that reaches its end must have the weights, the optimiser's state and the best score of the one that
was never stopped, bit for bit, and another one begins. The exit status is 1 if anything differs.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections import Counter
from pathlib import Path

import cv2
import torch

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # before others' `tests`

from mmcv import Config

from fmmp.apis import train  # not found? bash install.sh
from fmmp.apis.work_dir import LATEST, checkpoints
from fmmp.checkpoints import load_checkpoint_file
from fmmp.files import UNFINISHED
from tests.conftest import write_dataset
from tests.tiny import tiny_config

EPOCHS = 3


def small_config(dataset: Path, work_dir: Path) -> Config:
    """The tests' model with a narrower backbone."""
    config = tiny_config(dataset, work_dir)
    config.model.backbone.base_channels = 16
    config.model.neck.in_channels = (32, 64, 128)
    config.total_epochs = EPOCHS
    config.checkpoint_config.max_keep_ckpts = 2
    return config


def start(dataset: Path, work_dir: Path) -> int:
    """Start a training in a process of its own, which need not import torch again.

    Returns:
        The process's number.
    """
    process = os.fork()
    if process:
        return process
    status = 1
    try:
        sys.stderr = open(os.devnull, 'w')  # progress
        torch.set_num_threads(1)
        cv2.setNumThreads(0)
        time.sleep = lambda seconds: None  # MMCV's runner sleeps a second when it ends
        config = small_config(dataset, work_dir)
        config.log_level = 'ERROR'
        train(config, seed=0, deterministic=True, auto_resume=True)
        status = 0
    except BaseException:
        traceback.print_exc(file=sys.__stderr__)
    finally:
        os._exit(status)


def ended(process: int, options: int = os.WNOHANG) -> bool:
    """Whether a process has ended, without failing; with ``options`` 0, wait for its end."""
    done, status = os.waitpid(process, options)
    if status:
        raise RuntimeError('a training failed: its output is above')
    return bool(done)


def kill_sometime(process: int, work_dir: Path, draw: random.Random, duration: float) -> bool:
    """Wait for the drawn moment and kill the process; False if it came to its end before."""
    at_a_save = draw.random() < 0.5
    begin, delay = time.monotonic(), draw.uniform(0, 0.1 if at_a_save else duration)
    while at_a_save and not any(work_dir.glob(f'{UNFINISHED}*.pth')):
        if ended(process):
            return False
        time.sleep(0.001)
        begin = time.monotonic()
    while time.monotonic() < begin + delay:
        if ended(process):
            return False
        time.sleep(0.001)
    os.kill(process, signal.SIGKILL)
    os.waitpid(process, 0)
    return True


def describe(work_dir: Path) -> str:
    """What the kill fell into; whatever it was, ``latest.pth`` must be readable."""
    latest = work_dir / LATEST
    if latest.is_symlink():
        load_checkpoint_file(latest)
    found = checkpoints(work_dir) if work_dir.exists() else []
    for path in found:
        load_checkpoint_file(path)
    if any(work_dir.glob(f'{UNFINISHED}*')):
        return 'while a file was being written'
    if found and latest.resolve() != found[0].resolve():
        return 'after the best was saved, or before latest.pth was set'
    return 'elsewhere, after a checkpoint' if found else 'before the first checkpoint'


def same(first: object, second: object) -> bool:
    """Whether two checkpoints' contents agree bit for bit."""
    if isinstance(first, torch.Tensor):
        return torch.equal(first, second)
    if isinstance(first, dict):
        return first.keys() == second.keys() and all(same(first[k], second[k]) for k in first)
    if isinstance(first, list):
        return len(first) == len(second) and all(map(same, first, second))
    return first == second


def result(work_dir: Path) -> dict:
    """What must not depend on kills."""
    saved = load_checkpoint_file(work_dir / LATEST)
    messages = saved['meta']['hook_msgs']
    best = Path(messages['best_ckpt']).name
    return {
        'weights': saved['state_dict'],
        'optimizer': saved['optimizer'],
        'position': [saved['meta']['epoch'], saved['meta']['iter']],
        'best': [best, messages['best_score']],
        'best weights': load_checkpoint_file(work_dir / best)['state_dict'],
        'newest': (work_dir / LATEST).resolve().name,
        'kept': sorted(path.name for path in work_dir.glob('epoch_*.pth')),
    }


def main() -> None:
    """Kill, resume, compare, report."""
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('--kills', type=int, default=50, help='[50]')
    parser.add_argument('--seed', type=int, default=0, help='of the moments [0]')
    args = parser.parse_args()
    draw = random.Random(args.seed)
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        dataset = write_dataset(folder / 'data')
        begin = time.monotonic()
        ended(start(dataset, folder / 'never_stopped'), 0)
        duration = time.monotonic() - begin
        expected = result(folder / 'never_stopped')

        moments, finished, work_dir = Counter(), 0, folder / 'killed'
        while True:
            process = start(dataset, work_dir)
            if moments.total() < args.kills:
                if kill_sometime(process, work_dir, draw, duration):
                    moments[describe(work_dir)] += 1
                    continue
            else:
                ended(process, 0)
            found = result(work_dir)
            differing = [name for name in expected if not same(expected[name], found[name])]
            if differing:
                print(*sorted(path.name for path in work_dir.glob('*.pth')))
                sys.exit(f'after {moments.total()} kills these differ: {", ".join(differing)}')
            finished += 1
            shutil.rmtree(work_dir)
            if moments.total() == args.kills:
                break

    print(f'{moments.total()} kills of a training that takes {duration:.1f} s; of them')
    for moment, count in moments.most_common():
        print(f'{count:5} {moment}')
    print(f'{finished} trainings came to their end, each as the one never stopped, bit for bit')


if __name__ == '__main__':
    main()
