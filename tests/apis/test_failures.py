"""However a process fails, it ends, and so do its workers and the other processes."""

import multiprocessing
import os
import subprocess
import sys
import threading

import pytest
from mmcv.runner import HOOKS, Hook

from fmmp.apis import init_distributed, run, train
from fmmp.apis.loaders import build_loader
from fmmp.errors import InputError
from tests.apis.forks import in_two_processes
from tests.tiny import ROOT, tiny_config

SECONDS = 60  # of which starting takes nearly all


@HOOKS.register_module()
class FailingHook(Hook):
    def after_train_iter(self, runner):
        raise TypeError('a bug')


def test_a_script_that_fails_does_not_wait_for_its_workers():
    script = (
        'from fmmp.apis.loaders import build_loader\n'
        "for _ in build_loader(range(4), 1, 1): raise TypeError('a bug')"
    )
    command = [sys.executable, '-c', script]
    done = subprocess.run(command, cwd=ROOT, stderr=subprocess.PIPE, text=True, timeout=SECONDS)
    assert done.returncode == 1 and done.stderr.endswith('TypeError: a bug\n')


@pytest.fixture
def two_processes(tmp_path):
    """Runs a function of the rank as two processes; returns their statuses and errors."""

    files = [tmp_path / str(rank) for rank in range(2)]

    def run_both(main, **variables):
        def process(rank):
            os.environ.update(variables)
            sys.stderr = files[rank].open('w')

            def joined_main():
                init_distributed('pytorch')
                main(rank)

            run(joined_main)

        return in_two_processes(process, SECONDS), [file.read_text() for file in files]

    return run_both


def test_when_one_process_fails_the_others_end_and_name_it(two_processes):
    def main(rank):
        for _ in build_loader(range(4), 1, 1):
            if rank == 0:
                threading.Event().wait()
            raise TypeError('a bug')

    statuses, errors = two_processes(main)
    assert statuses == [1, 1]
    assert errors[0] == 'error: process 0 ends, because process 1 has failed\n'
    assert errors[1].endswith('TypeError: a bug\n')


def test_an_error_that_all_processes_meet_is_printed_once(two_processes):
    def main(rank):
        raise InputError('a mistake')

    statuses, errors = two_processes(main)
    assert statuses == [1, 1] and ''.join(errors) == 'error: a mistake\n'


def test_a_training_whose_step_raises_leaves_no_worker_behind(small_dataset, tmp_path):
    config = tiny_config(small_dataset, tmp_path / 'work')
    config.data.workers_per_gpu = 1
    config.custom_hooks = [dict(type='FailingHook')]
    before = multiprocessing.active_children()
    with pytest.raises(TypeError, match='a bug') as error:
        train(config, seed=0)
    assert multiprocessing.active_children() == before, error


def test_a_closed_loader_can_be_iterated_again():
    loader = build_loader(range(2), samples_per_gpu=1, workers_per_gpu=1)
    for _ in range(2):
        assert [batch.item() for batch in loader] == [0, 1]
        loader.close()
        assert not multiprocessing.active_children()
