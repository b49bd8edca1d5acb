"""Two processes on gloo."""

import json
import subprocess
import sys

import pytest

from tests.tiny import ROOT, tiny_config


def torchrun(*command):
    launcher = ['-m', 'torch.distributed.run', '--standalone', '--nproc_per_node=2']
    return subprocess.run(
        [sys.executable, *launcher, *map(str, command), '--launcher', 'pytorch'],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )


def test_two_processes_train_together_and_test_as_one_does(small_dataset, tmp_path):
    config = tmp_path / 'tiny.py'
    tiny_config(small_dataset).dump(str(config))
    trained = torchrun('tools/train.py', config, '--work-dir', tmp_path / 'work', '--seed', 0)
    assert trained.returncode == 0, trained.stderr
    log = next((tmp_path / 'work').glob('*.log.json')).read_text().splitlines()
    steps = [line for line in log if '"mode": "train"' in line]
    assert len(steps) == 1  # four episodes, two processes, two episodes a step each

    def results(run, name):
        out = tmp_path / name
        tested = run('tools/test.py', config, tmp_path / 'work/latest.pth', '--out', out)
        assert tested.returncode == 0, tested.stderr
        return json.loads(out.read_text())

    def alone(*command):
        command = [sys.executable, *map(str, command)]
        return subprocess.run(command, cwd=ROOT, capture_output=True, text=True)

    one, two = results(alone, 'one.json'), results(torchrun, 'two.json')
    assert one['pairs'] == two['pairs']
    for first, second in zip(one['predictions'], two['predictions'], strict=True):
        assert [p for xy in first for p in xy] == pytest.approx([p for xy in second for p in xy])


def test_a_launcher_that_launched_nothing_is_named(small_dataset, tmp_path, monkeypatch):
    from fmmp.apis import init_distributed

    for name in ('RANK', 'WORLD_SIZE', 'LOCAL_RANK'):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(RuntimeError, match='--launcher pytorch: the environment lacks RANK'):
        init_distributed('pytorch')
