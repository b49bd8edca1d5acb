"""Going on after kills, damage, full disks and signals."""

import logging
import os
import re
import resource
import runpy
import signal
import subprocess
import sys
from contextlib import contextmanager

import pytest
import torch
from mmcv.runner import HOOKS, Hook

from fmmp.apis import train
from fmmp.apis.hooks import SaveHook
from fmmp.apis.interruption import Interrupted
from fmmp.checkpoints import load_checkpoint_file, save_atomically
from fmmp.errors import CheckpointError, InputError
from tests.apis.toy import batches, run, toy_runner
from tests.tiny import ROOT, tiny_config


@HOOKS.register_module()
class CallAtIteration(Hook):
    """Calls a function before an iteration."""

    function = None

    def __init__(self, iteration):
        self.iteration = iteration

    def before_train_iter(self, runner):
        if runner.iter == self.iteration:
            CallAtIteration.function()


@pytest.fixture
def config(small_dataset, tmp_path):
    """Makes a config of some epochs of two iterations, and a narrow backbone."""

    def make(epochs, name='work'):
        config = tiny_config(small_dataset, tmp_path / name)
        config.model.backbone.base_channels = 8
        config.model.neck.in_channels = (16, 32, 64)
        config.total_epochs = epochs
        return config

    return make


def go(config, **kwargs):
    train(config, seed=3, deterministic=True, validate=False, **kwargs)


def assert_same_weights(first, second):
    first, second = (load_checkpoint_file(path)['state_dict'] for path in (first, second))
    assert all(torch.equal(first[name], second[name]) for name in first)


def unfinished(folder):
    return [*folder.glob('.unfinished-*')]


def test_a_training_killed_at_random_moments_ends_like_one_never_stopped(monkeypatch, capsys):
    monkeypatch.setattr(sys, 'path', [*sys.path])
    monkeypatch.setattr(sys, 'argv', ['kill_and_resume.py', '--kills', '2', '--seed', '3'])
    runpy.run_path(str(ROOT / 'benchmarks/kill_and_resume.py'), run_name='__main__')
    said = capsys.readouterr().out
    assert said.startswith('2 kills') and 'bit for bit' in said


def test_a_truncated_newest_checkpoint_is_passed_over_with_a_warning(
    config, tmp_path, caplog, monkeypatch
):
    go(config(2, 'whole'))
    work_dir = tmp_path / 'work'
    go(config(2), auto_resume=True)  # with nothing to resume it starts
    newest = work_dir / 'epoch_2.pth'
    newest.write_bytes(newest.read_bytes()[:1000])
    (work_dir / '.unfinished-epoch_2.pth.0.pth').touch()
    monkeypatch.setattr(logging.getLogger('fmmp'), 'propagate', True)
    go(config(2), auto_resume=True)
    assert 'passed over' in caplog.text and 'epoch_2.pth' in caplog.text
    assert_same_weights(work_dir / 'latest.pth', tmp_path / 'whole/latest.pth')
    assert (work_dir / 'latest.pth').resolve() == newest and not unfinished(work_dir)


def test_a_work_directory_without_a_readable_checkpoint_is_not_started_over(config, tmp_path):
    (tmp_path / 'work').mkdir()
    (tmp_path / 'work/epoch_7.pth').touch()
    with pytest.raises(CheckpointError, match='none of its 1 checkpoints can be read'):
        go(config(1), auto_resume=True)


def test_another_training_finds_the_ways_out_of_an_occupied_work_directory(config, tmp_path):
    go(config(2))
    with pytest.raises(InputError, match='epoch_2.pth of another.*--auto-resume.*--work-dir'):
        go(config(2))
    back = config(2)
    back.resume_from = str(tmp_path / 'work/epoch_1.pth')
    with pytest.raises(InputError, match='holds epoch_2.pth, and .* is of epoch 1'):
        go(back)
    other = config(3)
    other.work_dir, other.resume_from = str(tmp_path / 'other'), str(tmp_path / 'work/epoch_2.pth')
    (tmp_path / 'other').mkdir()
    (tmp_path / 'other/best_mPCK_epoch_1.pth').touch()
    with pytest.raises(InputError, match='other holds best_mPCK_epoch_1.pth of another training'):
        go(other)
    with pytest.raises(InputError, match='choose one'):
        go(back, auto_resume=True)
    with pytest.raises(InputError, match='a training with seed 3, not 4.*--work-dir'):
        train(config(2), seed=4, validate=False, auto_resume=True)


def test_other_settings_than_the_trainings_are_refused_unless_they_are_accepted(config, tmp_path):
    go(config(1))
    other = config(2)
    other.model.keypoint_head.structure = 'self'
    other.data.train.data_cfg.padding = 'zero'
    other.optimizer.lr = 1.0
    other.precision = 'bfloat16'
    other.data.workers_per_gpu = 1  # computes the same
    with pytest.raises(InputError, match='epoch_1.pth is of a .*--accept-changes') as error:
        go(other, auto_resume=True)
    changes = re.findall(r'(\S+) is (\S+) in the checkpoint and (\S+) in', str(error.value))
    assert changes == [
        ('model.keypoint_head.structure', "'given'", "'self'"),
        ('data.train.data_cfg.padding', "'mixup'", "'zero'"),
        ('optimizer.lr', '0.0001', '1.0'),
        ('precision', "'float32'", "'bfloat16'"),
    ]
    go(other, auto_resume=True, accept_changes=True)
    saved = load_checkpoint_file(tmp_path / 'work/epoch_2.pth')
    assert saved['optimizer']['param_groups'][0]['initial_lr'] == 1.0
    assert saved['meta']['settings']['model']['keypoint_head']['structure'] == 'self'


def test_a_learning_rate_that_other_batches_would_change_is_kept_and_told(config, tmp_path):
    told = []
    for epochs, episodes in ((1, 1), (2, 2)):
        own = config(epochs)
        own.auto_scale_lr = dict(enable=True, base_batch_size=2)
        own.data.samples_per_gpu = episodes
        go(own, auto_resume=True)
        told.append(max((tmp_path / 'work').glob('*.log')).read_text())
        assert f'{episodes} episodes a step, learning rate 5e-05' in told[-1]
    assert ['a new training would begin at 0.0001' in text for text in told] == [False, True]
    saved = load_checkpoint_file(tmp_path / 'work/epoch_2.pth')
    assert saved['optimizer']['param_groups'][0]['initial_lr'] == 5e-5


def test_a_checkpoint_that_tells_no_settings_goes_on_with_any(config, tmp_path):
    go(config(1))
    path = tmp_path / 'work/epoch_1.pth'
    saved = load_checkpoint_file(path)
    del saved['meta']['settings']
    save_atomically(saved, path)
    other = config(2)
    other.model.keypoint_head.structure = 'self'
    go(other, auto_resume=True)
    assert (tmp_path / 'work/epoch_2.pth').exists()


def test_an_optimiser_that_does_not_fit_the_checkpoint_is_named(config, tmp_path):
    go(config(1))
    slower = config(2)
    slower.optimizer.paramwise_cfg = dict(custom_keys={'backbone': dict(lr_mult=0.1)})
    with pytest.raises(InputError, match='optimizer.paramwise_cfg is not set in the checkpoint'):
        go(slower, auto_resume=True)
    with pytest.raises(CheckpointError, match='epoch_1.pth.*optimizer.*load_from'):
        go(slower, auto_resume=True, accept_changes=True)


def test_the_checkpoint_to_go_on_from_is_read_once(config, tmp_path, monkeypatch):
    go(config(1))
    read, load = [], torch.load
    monkeypatch.setattr(torch, 'load', lambda path, **keys: read.append(path) or load(path, **keys))
    go(config(2), auto_resume=True)
    rest = config(3)
    rest.resume_from = str(tmp_path / 'work/epoch_2.pth')
    go(rest)
    assert [path.name for path in read] == ['epoch_1.pth', 'epoch_2.pth']


def test_checkpoints_that_a_kill_left_unpruned_are_pruned(tmp_path):
    def kept():
        return sorted(path.name for path in tmp_path.glob('epoch_*.pth'))

    run(toy_runner(tmp_path, SaveHook(max_keep_ckpts=2), epochs=3), batches(1))
    assert kept() == ['epoch_2.pth', 'epoch_3.pth']
    for epochs in (3, 4):
        (tmp_path / 'epoch_1.pth').touch()
        resumed = toy_runner(tmp_path, SaveHook(max_keep_ckpts=2), epochs=epochs)
        resumed.resume(str(tmp_path / 'latest.pth'))
        run(resumed, batches(1))
        assert kept() == [f'epoch_{epochs - 1}.pth', f'epoch_{epochs}.pth']


def test_two_trainings_never_share_a_work_directory(config, tmp_path):
    work_dir = tmp_path / 'work'
    work_dir.mkdir()
    hold = (
        "import fcntl; f = open('.lock', 'w'); fcntl.lockf(f, fcntl.LOCK_EX); f.write('process 7')"
    )
    holder = subprocess.Popen(
        [sys.executable, '-c', f'{hold}; f.flush(); print(flush=True); input()'],
        cwd=work_dir,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    with holder:
        holder.stdout.readline()
        with pytest.raises(InputError, match='work is in use by process 7.*--work-dir'):
            go(config(1))
        holder.kill()
    go(config(1))  # a killed process holds nothing
    assert (work_dir / 'latest.pth').exists()


@contextmanager
def files_of_at_most(size):
    """Let writes fail beyond a size, in bytes, as on a full disk."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


def test_a_full_disk_leaves_the_checkpoint_before_and_is_named(config, tmp_path):
    go(config(1))
    work_dir = tmp_path / 'work'
    message = 'epoch_2.pth could not be written: File too large'
    with files_of_at_most(300_000), pytest.raises(OSError, match=message):  # logs are smaller
        go(config(2), auto_resume=True)
    assert load_checkpoint_file(work_dir / 'latest.pth')['meta']['epoch'] == 1
    assert not unfinished(work_dir) and not (work_dir / 'epoch_2.pth').exists()


def test_a_log_that_cannot_be_written_stops_a_training(config, capfd):
    settings = config(1)
    with files_of_at_most(1000), pytest.raises(OSError, match='File too large'):
        go(settings)
    assert 'Traceback' not in capfd.readouterr().err


@pytest.fixture
def stopped(config, monkeypatch):
    """A config of two epochs that a signal stops in the last iteration."""

    def make(number):
        stopped = config(2)
        stopped.custom_hooks = [dict(type='CallAtIteration', iteration=3)]
        monkeypatch.setattr(CallAtIteration, 'function', lambda: os.kill(os.getpid(), number))
        return stopped

    return make


def test_ctrl_c_saves_where_it_was_and_says_how_to_go_on(stopped, tmp_path):
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(Interrupted, match='epoch 2: --auto-resume goes on from epoch_1.pth') as end:
        go(stopped(signal.SIGINT))
    assert end.value.number == signal.SIGINT and 'interrupted.pth' in str(end.value)
    assert signal.getsignal(signal.SIGINT) is before
    assert load_checkpoint_file(tmp_path / 'work/interrupted.pth')['meta']['epoch'] == 1


def test_a_preempted_training_goes_on_and_ends_like_one_never_stopped(stopped, config, tmp_path):
    with pytest.raises(Interrupted):
        go(stopped(signal.SIGTERM))
    go(config(2, 'whole'))
    go(config(2), auto_resume=True)
    assert_same_weights(tmp_path / 'work/latest.pth', tmp_path / 'whole/latest.pth')
    assert not (tmp_path / 'work/interrupted.pth').exists()


def test_what_an_interruption_saved_begins_its_epoch_again(stopped, config, tmp_path):
    with pytest.raises(Interrupted):
        go(stopped(signal.SIGTERM))
    again = config(2, 'again')
    again.resume_from = str(tmp_path / 'work/interrupted.pth')
    go(again)
    meta = load_checkpoint_file(tmp_path / 'again/epoch_2.pth')['meta']
    assert (meta['epoch'], meta['iter']) == (2, 4)


def test_a_checkpoint_tells_what_it_was_trained_with(config, tmp_path):
    go(config(1))
    meta = load_checkpoint_file(tmp_path / 'work/latest.pth')['meta']
    assert meta['seed'] == 3 and 'total_epochs=1' in meta['config']
    assert meta['versions']['torch'] == torch.__version__
    assert {'fmmp', 'git', 'python', 'mmcv', 'mmpose', 'platform'} <= meta['versions'].keys()
    assert all(type(value) is str for value in meta['versions'].values())
