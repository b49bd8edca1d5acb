"""Two processes on gloo: trained as users start them, and what the launchers' scripts ask for."""

import json
import os
import subprocess
import sys

import pytest
import torch
from mmcv import Config

from fmmp.apis import init_distributed, init_model, train
from fmmp.apis import test as evaluate
from fmmp.apis.distributed import leave_distributed
from fmmp.checkpoints import load_checkpoint_file, save_atomically
from fmmp.errors import InputError
from tests.apis.forks import in_two_processes, run_script
from tests.tiny import ROOT, tiny_config

ENVIRONMENT = {
    **os.environ,
    'OMP_NUM_THREADS': '1',
    'PYTHON': sys.executable,
    'PYTHONPATH': str(ROOT),  # where the config finds tests.apis.agreement
}


def script(name, *arguments, **variables):
    done = subprocess.run(
        [ROOT / 'tools' / name, *map(str, arguments)],
        cwd=ROOT,
        env={**ENVIRONMENT, **variables},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done


def weights(work_dir, epoch):
    return load_checkpoint_file(work_dir / f'epoch_{epoch}.pth')['state_dict']


def losses(work_dir):
    lines = map(json.loads, next(work_dir.glob('*.log.json')).read_text().splitlines())
    return [line['loss'] for line in lines if line.get('mode') == 'train' and 'loss' in line]


@pytest.fixture(scope='module')
def two_processes(make_dataset, tmp_path_factory):
    """A folder with a config, and what dist_train.sh makes of it.

    Gradient descent of rate 1, nothing random, batch norm frozen: a step is minus the gradient.
    """
    folder = tmp_path_factory.mktemp('distributed')
    config = tiny_config(make_dataset(folder / 'data'), folder / 'two')
    config.load_from = str(folder / 'initial.pth')
    config.total_epochs = config.evaluation.interval = 4
    config.non_finite_loss = dict(action='skip')
    config.optimizer = dict(type='SGD', lr=1.0)
    config.lr_config = dict(policy='fixed')
    config.model.backbone.norm_eval = True
    config.model.keypoint_head.dropout = 0.0
    config.data.test.valid_class_ids = [1, 2, 3]  # three episodes
    config.custom_imports.imports += ['tests.apis.agreement']
    config.custom_hooks = [dict(type='AgreementHook')]
    torch.manual_seed(0)
    save_atomically(init_model(config).state_dict(), config.load_from)
    config.dump(str(folder / 'tiny.py'))
    arguments = folder / 'tiny.py', 2, '--work-dir', folder / 'two', '--seed', 0
    script('dist_train.sh', *arguments)
    return folder


def test_parameters_agree_across_processes_at_every_epoch(two_processes):
    folder = two_processes
    assert (folder / 'two/agreement.jsonl').read_text().split() == ['2'] * 4


def test_the_gradient_of_two_processes_is_that_of_one_on_the_joined_batch(two_processes):
    folder = two_processes
    config = Config.fromfile(str(folder / 'tiny.py'))
    config.work_dir = str(folder / 'one')
    config.data.samples_per_gpu = 4
    config.total_epochs = 2
    config.custom_hooks = []
    train(config, seed=0, validate=False)
    initial = load_checkpoint_file(folder / 'initial.pth')
    for epoch in (1, 2):
        one, two = (weights(folder / name, epoch) for name in ('one', 'two'))
        for name, before in initial.items():
            steps = two[name] - before, one[name] - before
            torch.testing.assert_close(*steps, atol=1e-5, rtol=1e-4)
    logged = [losses(folder / name)[:2] for name in ('two', 'one')]
    assert logged[0] == pytest.approx(logged[1], rel=1e-3)  # the mean over the processes
    moved = [n for n, before in initial.items() if not torch.equal(before, one[n])]
    assert len(moved) > 100


def test_a_loss_that_is_not_finite_in_one_process_is_skipped_in_all(two_processes):
    folder = two_processes / 'two'
    before, after, end = (weights(folder, epoch) for epoch in (2, 3, 4))
    assert all(torch.equal(after[name], before[name]) for name in before)
    assert any(not torch.equal(end[name], after[name]) for name in before)
    saved = load_checkpoint_file(folder / 'non_finite_iter_3_rank_1.pth')
    (log,) = folder.glob('*.log')
    for episode in saved['files']:
        assert ', '.join(episode) in log.read_text()


def test_two_processes_log_as_one(two_processes):
    folder = two_processes
    (log,) = (folder / 'two').glob('*.log.json')
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    # Four episodes, two processes, two episodes a step each.
    assert [line['mode'] for line in lines[1:]] == [*['train'] * 4, 'val']


def test_two_processes_validate_the_weights_that_are_saved(two_processes):
    folder = two_processes
    config = Config.fromfile(str(folder / 'tiny.py'))
    config.data.test = config.data.val
    (log,) = (folder / 'two').glob('*.log.json')
    logged = json.loads(log.read_text().splitlines()[-1])
    saved = evaluate(config, folder / 'two/epoch_4.pth')['metrics']
    before, after = weights(folder / 'two', 3), weights(folder / 'two', 4)
    running = [name for name in before if 'running_mean' in name]
    assert not any(torch.equal(before[name], after[name]) for name in running)
    assert logged['NME'] == pytest.approx(saved['NME'], abs=2e-5)


def test_two_processes_test_as_one_whether_or_not_they_divide_the_episodes(two_processes):
    folder = two_processes
    config = Config.fromfile(str(folder / 'tiny.py'))
    arguments = folder / 'tiny.py', folder / 'two/latest.pth', '--out', folder / 'two/results.json'
    assert in_two_processes(lambda rank: run_script('test.py', *arguments)) == [0, 0]
    two = json.loads((folder / 'two/results.json').read_text())
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # as in each of the two
    one = json.loads(json.dumps(evaluate(config, folder / 'two/latest.pth')))
    torch.set_num_threads(threads)
    assert one == two and len(two['pairs']) == 6


def test_torchrun_gets_what_the_environment_asks_for(tmp_path):
    python = tmp_path / 'python'
    python.write_text('#!/bin/sh\necho "$@"\n')
    python.chmod(0o755)
    asked = {'PYTHON': str(python), 'NNODES': '2', 'NODE_RANK': '1', 'MASTER_ADDR': 'node-1'}
    done = script('dist_test.sh', 'c.py', 'a.pth', 4, '--out', 'b.json', **asked)
    for option in ('--nproc_per_node 4', '--nnodes 2', '--node_rank 1', '--master_addr node-1'):
        assert option in done.stdout
    assert done.stdout.endswith('test.py c.py a.pth --out b.json --launcher pytorch\n')
    done = script('dist_train.sh', 'c.py', 4, '--auto-resume', RESTARTS='3', **asked)
    for option in ('--max_restarts 3', '--nnodes 2', '--rdzv_endpoint node-1:29500'):
        assert option in done.stdout
    assert '--node_rank' not in done.stdout  # whoever comes first


def test_slurm_gets_what_the_environment_asks_for(tmp_path):
    srun = tmp_path / 'srun'
    srun.write_text('#!/bin/sh\necho "$@"\n')
    srun.chmod(0o755)
    path = {'PATH': f'{tmp_path}:{os.environ["PATH"]}'}
    asked = {**path, 'GPUS': '4', 'SRUN_ARGS': '-x a'}
    done = script('slurm_train.sh', 'gpu', 'try', 'c.py', 'out', '--seed', 1, **asked)
    for option in ('--partition gpu', '--job-name try', '--gres gpu:4', '--ntasks 4', ' -x a '):
        assert option in done.stdout
    assert done.stdout.endswith('train.py c.py --work-dir out --seed 1 --launcher slurm\n')
    done = script('slurm_test.sh', 'gpu', 'try', 'c.py', 'a.pth', GPUS='16', **path)
    assert '--ntasks 16 --ntasks-per-node 8' in done.stdout
    assert done.stdout.endswith('test.py c.py a.pth --launcher slurm\n')


def test_slurms_variables_join_its_processes(tmp_path, monkeypatch):
    scontrol = tmp_path / 'scontrol'
    scontrol.write_text('#!/bin/sh\necho localhost\necho node-2\n')
    scontrol.chmod(0o755)
    monkeypatch.setenv('PATH', f'{tmp_path}:{os.environ["PATH"]}')
    for name in ('RANK', 'WORLD_SIZE', 'LOCAL_RANK', 'MASTER_ADDR', 'MASTER_PORT'):
        monkeypatch.setenv(name, '')
        monkeypatch.delenv(name)
    slurm = {'PROCID': '0', 'NTASKS': '1', 'LOCALID': '0', 'JOB_ID': '12345', 'NODELIST': 'n[1-2]'}
    for name, value in slurm.items():
        monkeypatch.setenv(f'SLURM_{name}', value)
    init_distributed('slurm')
    assert torch.distributed.get_world_size() == 1
    leave_distributed()
    assert os.environ['MASTER_ADDR'] == 'localhost' and os.environ['MASTER_PORT'] == '32345'


def test_a_launcher_that_launched_nothing_is_named(monkeypatch):
    for name in ('RANK', 'WORLD_SIZE', 'LOCAL_RANK'):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(InputError, match='--launcher pytorch: the environment lacks RANK'):
        init_distributed('pytorch')
