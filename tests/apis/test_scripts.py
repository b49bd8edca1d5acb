"""The scripts themselves, from a clone's root."""

import json
import runpy
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from fmmp.apis import init_model
from fmmp.checkpoints import load_checkpoint_file, save_atomically
from tests.tiny import ROOT, tiny_config
from tests.weights import released_state


@pytest.fixture
def run(monkeypatch, capsys):
    """Run a script as Python does, but in this process, which has imported everything already."""

    def call(script, *arguments):
        monkeypatch.chdir(ROOT)
        monkeypatch.syspath_prepend(str(Path(script).parent))
        monkeypatch.setattr(sys, 'argv', [script, *map(str, arguments)])
        capsys.readouterr()
        code = 0
        try:
            runpy.run_path(script, run_name='__main__')
        except SystemExit as end:
            code = end.code or 0
            if isinstance(code, str):  # what Python prints before it exits with 1
                print(code, file=sys.stderr)
                code = 1
        return SimpleNamespace(returncode=code, **capsys.readouterr()._asdict())

    return call


def test_train_then_test_by_the_scripts(run, small_dataset, tmp_path):
    config = tmp_path / 'tiny.py'
    tiny_config(small_dataset).dump(str(config))
    work_dir = tmp_path / 'work'
    options = '--seed', 0, '--no-validate', '--autoscale-lr'
    trained = run('tools/train.py', config, '--work-dir', work_dir, *options)
    assert trained.returncode == 0, trained.err
    log = trained.err + trained.out
    assert 'eta:' in log and '2 episodes a step, learning rate 1.25e-05' in log
    out = tmp_path / 'results.json'
    tested = run('tools/test.py', config, work_dir / 'latest.pth', '--out', out, '--eval', 'PCK')
    assert tested.returncode == 0, tested.err
    assert 'copying the support' in tested.out and 'PCK@0.2' in tested.out
    assert 'NME' not in tested.out
    assert json.loads(out.read_text())['metrics'].keys() >= {'mPCK', 'mAP'}


def test_an_unknown_metric_is_refused_with_the_known_ones():
    command = [sys.executable, 'tools/test.py', 'config.py', 'checkpoint.pth', '--eval', 'OKS']
    tested = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert tested.returncode == 2
    assert 'OKS' in tested.stderr and 'PCK' in tested.stderr
    assert tested.stderr.startswith('usage:')  # and no warning at an import


def test_convert_checkpoint_there_and_back(run, tmp_path):
    state = released_state()
    released, ours, back = (tmp_path / f'{name}.pth' for name in ('released', 'ours', 'back'))
    save_atomically({'meta': {'epoch': 200}, 'state_dict': state}, released)
    done = run('tools/convert_checkpoint.py', released, ours)
    assert done.returncode == 0 and '868' in done.out, done.err
    twice = run('tools/convert_checkpoint.py', ours, back)
    assert twice.returncode != 0 and 'already' in twice.err
    assert not back.exists()
    run('tools/convert_checkpoint.py', ours, back, '--to-released')
    again = load_checkpoint_file(back)['state_dict']
    assert again.keys() == state.keys()
    assert all(torch.equal(again[name], state[name]) for name in state)


def test_the_demo_draws_the_queries_and_writes_their_keypoints(run, small_dataset, tmp_path):
    config, checkpoint = tmp_path / 'tiny.py', tmp_path / 'checkpoint.pth'
    tiny = tiny_config(small_dataset)
    tiny.dump(str(config))
    save_atomically(init_model(tiny).state_dict(), checkpoint)
    keypoints = tmp_path / 'keypoints.json'
    keypoints.write_text('{"keypoints": [[20, 20], [30, 40], null], "skeleton": [[0, 1]]}')
    support, *queries = sorted((small_dataset / 'images' / 'category_1').iterdir())[:3]
    command = ['tools/demo.py', config, checkpoint, '--support', support, '--queries', *queries]
    out_dir = tmp_path / 'out'
    done = run(*command, '--keypoints', keypoints, '--out-dir', out_dir)
    assert done.returncode == 0, done.err
    assert sorted(path.name for path in out_dir.glob('*.png')) == ['query_1.png', 'query_2.png']
    found = json.loads((out_dir / 'keypoints.json').read_text())
    for image in queries:
        assert [point is None for point in found[str(image)]] == [False, False, True]
    written = keypoints.read_text()
    failed = run(*command, '--keypoints', keypoints, '--out-dir', tmp_path)
    assert failed.returncode == 1 and 'would be overwritten' in failed.err
    assert keypoints.read_text() == written
    failed = run(*command, queries[0], '--keypoints', keypoints, '--out-dir', out_dir)
    assert failed.returncode == 1 and 'give each picture once' in failed.err
    failed = run(*command, '--keypoints', tmp_path / 'none.json', '--out-dir', tmp_path / 'none')
    assert failed.returncode == 1 and failed.err.endswith('no such keypoint file\n')
    assert not (tmp_path / 'none').exists()
