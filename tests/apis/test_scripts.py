"""The scripts themselves, from a clone's root."""

import json
import subprocess
import sys

import torch

from fmmp.apis import init_model
from fmmp.checkpoints import load_checkpoint_file, save_atomically
from tests.tiny import ROOT, tiny_config
from tests.weights import released_state


def run(*command):
    return subprocess.run(
        [sys.executable, *map(str, command)], cwd=ROOT, capture_output=True, text=True
    )


def test_train_then_test_by_the_scripts(small_dataset, tmp_path):
    config = tmp_path / 'tiny.py'
    tiny_config(small_dataset).dump(str(config))
    work_dir = tmp_path / 'work'
    options = '--seed', 0, '--no-validate', '--autoscale-lr'
    trained = run('tools/train.py', config, '--work-dir', work_dir, *options)
    assert trained.returncode == 0, trained.stderr
    log = trained.stderr + trained.stdout
    assert 'eta:' in log and '2 episodes a step, learning rate 1.25e-05' in log
    out = tmp_path / 'results.json'
    tested = run('tools/test.py', config, work_dir / 'latest.pth', '--out', out, '--eval', 'PCK')
    assert tested.returncode == 0, tested.stderr
    assert 'copying the support' in tested.stdout and 'PCK@0.2' in tested.stdout
    assert 'NME' not in tested.stdout
    assert json.loads(out.read_text())['metrics'].keys() >= {'mPCK', 'mAP'}


def test_an_unknown_metric_is_refused_with_the_known_ones(small_dataset, tmp_path):
    tested = run('tools/test.py', 'config.py', 'checkpoint.pth', '--eval', 'OKS')
    assert tested.returncode == 2
    assert 'OKS' in tested.stderr and 'PCK' in tested.stderr
    assert tested.stderr.startswith('usage:')  # and no warning at an import


def test_convert_checkpoint_there_and_back(tmp_path):
    state = released_state()
    released, ours, back = (tmp_path / f'{name}.pth' for name in ('released', 'ours', 'back'))
    save_atomically({'meta': {'epoch': 200}, 'state_dict': state}, released)
    done = run('tools/convert_checkpoint.py', released, ours)
    assert done.returncode == 0 and '868' in done.stdout, done.stderr
    twice = run('tools/convert_checkpoint.py', ours, back)
    assert twice.returncode != 0 and 'already' in twice.stderr
    assert not back.exists()
    run('tools/convert_checkpoint.py', ours, back, '--to-released')
    again = load_checkpoint_file(back)['state_dict']
    assert again.keys() == state.keys()
    assert all(torch.equal(again[name], state[name]) for name in state)


def test_the_demo_draws_the_queries_and_writes_their_keypoints(small_dataset, tmp_path):
    config, checkpoint = tmp_path / 'tiny.py', tmp_path / 'checkpoint.pth'
    tiny = tiny_config(small_dataset)
    tiny.dump(str(config))
    save_atomically(init_model(tiny).state_dict(), checkpoint)
    keypoints = tmp_path / 'keypoints.json'
    keypoints.write_text('{"keypoints": [[20, 20], [30, 40]], "skeleton": [[0, 1]]}')
    support, *queries = sorted((small_dataset / 'images' / 'category_1').iterdir())[:3]
    command = ['tools/demo.py', config, checkpoint, '--support', support, '--queries', *queries]
    out_dir = tmp_path / 'out'
    done = run(*command, '--keypoints', keypoints, '--out-dir', out_dir)
    assert done.returncode == 0, done.stderr
    assert sorted(path.name for path in out_dir.glob('*.png')) == ['query_1.png', 'query_2.png']
    found = json.loads((out_dir / 'keypoints.json').read_text())
    assert [len(found[str(image)]) for image in queries] == [2, 2]
    failed = run(*command, '--keypoints', tmp_path / 'none.json', '--out-dir', tmp_path / 'none')
    assert failed.returncode == 1 and failed.stderr.endswith('no such keypoint file\n')
    assert not (tmp_path / 'none').exists()
