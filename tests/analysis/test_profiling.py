"""Where the time goes."""

import json
import runpy
import subprocess
import sys
import time

import pytest

from fmmp.analysis.complexity import complexity
from fmmp.analysis.loading import loading_times
from fmmp.analysis.profiling import (
    TestEpisode,
    TrainingStep,
    format_times,
    median_times,
    write_trace,
)
from fmmp.apis.data import build_dataset
from tests.tiny import ROOT, tiny_config

FORWARD = ['backbone', 'neck', 'support mining', 'query mining', 'rest of the forward pass']


@pytest.mark.parametrize('data', [False, True], ids=['noise', 'data set'])
def test_a_training_step_moves_the_weights_and_every_part_takes_time(small_dataset, data):
    step = TrainingStep(tiny_config(small_dataset), 'cpu', data)
    weight = step.model.keypoint_head.point_mlps[0][-1].weight
    before = weight.detach().clone()
    times = step()
    assert not weight.equal(before)
    assert list(times) == ['waiting for data', *FORWARD, 'backward', 'optimiser']
    assert all(seconds > 0 for seconds in times.values())


@pytest.mark.parametrize('data', [False, True], ids=['noise', 'data set'])
def test_a_test_episodes_time_is_divided(small_dataset, data):
    times = TestEpisode(tiny_config(small_dataset), 'cpu', data)()
    assert list(times) == ['waiting for data', *FORWARD]
    assert all(seconds > 0 for seconds in times.values())


def test_steps_and_episodes_are_as_large_as_without_settings_of_their_own(small_dataset):
    config = tiny_config(small_dataset)
    config.data.pop('samples_per_gpu')
    config.data.test.pop('num_queries')
    config.data.train_dataloader = dict(samples_per_gpu=3)
    assert TrainingStep(config, 'cpu').title == 'a training step of 3 episodes of noise'
    assert TestEpisode(config, 'cpu').title == 'a test episode of 15 queries of noise'
    assert complexity(config).num_queries == 15


def test_the_loaders_workers_end_when_a_run_is_closed(small_dataset):
    config = tiny_config(small_dataset)
    config.data.workers_per_gpu = 1
    step = TrainingStep(config, 'cpu', data=True)
    next(step.batches)
    workers = step.loader._latest._workers
    assert workers[0].is_alive()
    step.close()
    workers[0].join(5)
    assert not workers[0].is_alive()


def test_loading_a_sample_is_divided_and_the_data_set_is_as_before(small_dataset):
    dataset = build_dataset(tiny_config(small_dataset), 'train')
    before = dataset[1]['imgs']
    start = time.perf_counter()
    times = loading_times(dataset, range(4), batch=2)
    spent = time.perf_counter() - start
    parts = ['read', 'decode', 'augment', 'warp', 'normalise']
    assert sorted(times) == sorted([*parts, 'padding and references', 'rest', 'collate'])
    assert min(times.values()) > 0 and 4 * sum(times.values()) < spent
    assert dataset[1]['imgs'].equal(before)
    assert not hasattr(dataset.preparation.read_and_prepare.transforms[0].file_client, 'clock')


def test_the_first_run_does_not_count_and_medians_are_taken():
    runs = iter([{'a': 99.0}, {'a': 3.0}, {'a': 1.0}, {'a': 2.0}])
    assert median_times(lambda: next(runs), repeats=3) == {'a': 2.0}


def test_the_table_gives_milliseconds_shares_and_the_sum():
    text = format_times('a step', {'data': 0.001, 'backward': 0.003})
    assert '| 75.0% |' in text and '| total' in text and ' 4.0 |' in text


def test_a_method_without_training_has_no_training_step_to_profile(monkeypatch, capsys):
    config = ROOT / 'configs/matching/efficientnet_lite0_mp100_split1.py'
    options = ['--repeats', '1', '--cfg-options', 'data.test.num_queries=1']
    options += ['data.data_cfg.image_size=64', 'model.backbone.weights=None']
    script = ROOT / 'tools/analysis/profile.py'
    monkeypatch.setattr(sys, 'path', [str(script.parent), *sys.path])  # which the script takes out
    monkeypatch.setattr(sys, 'argv', [str(script), str(config), *options])
    runpy.run_path(str(script), run_name='__main__')
    printed = capsys.readouterr().out
    assert 'a test episode of 1 queries' in printed and 'training' not in printed


def test_a_trace_names_the_operations(tmp_path, small_dataset):
    step = TestEpisode(tiny_config(small_dataset), 'cpu')
    write_trace(step, tmp_path / 'trace.json')
    events = json.loads((tmp_path / 'trace.json').read_text())['traceEvents']
    assert any('conv' in event.get('name', '') for event in events)


@pytest.mark.parametrize(
    'script', sorted((ROOT / 'tools/analysis').glob('*.py')), ids=lambda p: p.stem
)
def test_profile_beside_a_script_does_not_hide_the_standard_librarys(script):
    code = f"""
import runpy, sys
sys.modules.update(dict.fromkeys(['numpy', 'matplotlib', 'torch', 'mmcv']))
sys.path.insert(0, {str(script.parent)!r})  # as Python does for a script
try:
    runpy.run_path({str(script)!r})
except ImportError:
    import cProfile, profile
    print(profile.__file__)
"""
    done = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True)
    assert done.stdout and not done.stdout.startswith(str(script.parent)), done.stderr
