"""What ends a command of several processes, or with a loader's workers, and how."""

import os
import signal

import cv2
import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader, Dataset

from fmmp.apis import run
from fmmp.errors import InputError


class Broken(Dataset):
    def __init__(self, action):
        self.action = action

    def __len__(self):
        return 1

    def __getitem__(self, index):
        self.action()


def kill_this_process():
    os.kill(os.getpid(), signal.SIGKILL)


def refuse():
    raise InputError('cat.jpg is broken')


def load_with_a_worker(action):
    return lambda: list(DataLoader(Broken(action), num_workers=1))


@pytest.mark.parametrize(
    ('action', 'message'),
    [
        (kill_this_process, 'DataLoader worker .*killed.*workers_per_gpu'),
        (refuse, 'error: .*cat.jpg is broken'),
    ],
)
def test_what_goes_wrong_in_a_loaders_worker_ends_a_script_in_one_line(action, message):
    with pytest.raises(SystemExit, match=message) as end:
        run(load_with_a_worker(action))
    assert '\n' not in str(end.value)


@pytest.mark.parametrize(
    'allocate',
    [
        lambda: torch.empty(10**15),
        lambda: np.empty(10**15),
        lambda: bytearray(10**15),
        lambda: cv2.resize(np.zeros((4, 4), np.uint8), (2**20, 2**20)),
        load_with_a_worker(lambda: np.empty(10**15)),
    ],
)
def test_out_of_memory_ends_a_script_with_what_to_lower(allocate):
    with pytest.raises(SystemExit, match='error: out of memory.*: lower data.samples_per_gpu'):
        run(allocate)


def test_the_first_process_alone_says_that_it_was_interrupted(monkeypatch, capsys):
    def interrupt():
        raise KeyboardInterrupt

    for first in (True, False):
        monkeypatch.setattr('fmmp.apis.arguments.is_first_process', lambda first=first: first)
        with pytest.raises(SystemExit) as end:
            run(interrupt)
        assert end.value.code == 130
        assert capsys.readouterr().err == ('interrupted\n' if first else '')
