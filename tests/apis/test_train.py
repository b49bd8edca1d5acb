import json
from itertools import chain

import pytest
import torch
from fmmp.datasets.evaluation import TestEpisodes

from fmmp.apis import test as evaluate
from fmmp.apis import train
from fmmp.checkpoints import load_checkpoint_file, save_atomically
from fmmp.errors import CheckpointError
from tests.tiny import CONFIG, tiny_config


def weights(path):
    return load_checkpoint_file(path)['state_dict']


def assert_same_weights(first, second):
    first, second = weights(first), weights(second)
    assert first.keys() == second.keys()
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_training_leaves_checkpoints_the_best_one_config_and_logs(small_dataset, tmp_path):
    config = tiny_config(small_dataset, tmp_path / 'work')
    train(config, seed=0)
    files = {path.name for path in (tmp_path / 'work').iterdir()}
    assert {'epoch_1.pth', 'latest.pth', 'best_mPCK_epoch_1.pth', CONFIG.name} <= files
    assert any(name.endswith('.log') for name in files)
    lines = next((tmp_path / 'work').glob('*.log.json')).read_text().splitlines()
    modes = [json.loads(line).get('mode') for line in lines]
    assert modes.count('train') == 2 and modes.count('val') == 1
    assert {'mPCK', 'PCK@0.2'} <= json.loads(lines[-1]).keys()


def test_the_best_checkpoint_by_a_categorys_score_lies_in_the_work_directory(
    small_dataset, tmp_path, monkeypatch
):
    scores = iter(({'mPCK/category_1': 0.5}, {'mPCK/category_1': 0.6}))
    monkeypatch.setattr(TestEpisodes, 'evaluate', lambda *_, **__: next(scores))
    config = tiny_config(small_dataset, tmp_path / 'work')
    config.evaluation.save_best = 'mPCK/category_1'
    config.total_epochs = 2
    train(config, seed=0)
    best = [path.name for path in (tmp_path / 'work').rglob('*best*')]
    assert best == ['best_mPCK_category_1_epoch_2.pth']


def test_a_resumed_training_ends_with_the_weights_of_one_never_stopped(small_dataset, tmp_path):
    whole = tiny_config(small_dataset, tmp_path / 'whole')
    whole.total_epochs = 2
    train(whole, seed=3, deterministic=True, validate=False)
    part = tiny_config(small_dataset, tmp_path / 'part')
    train(part, seed=3, deterministic=True, validate=False)
    rest = tiny_config(small_dataset, tmp_path / 'part')
    rest.total_epochs = 2
    rest.resume_from = str(tmp_path / 'part' / 'latest.pth')
    train(rest, deterministic=True, validate=False)  # the seed is the first part's
    assert_same_weights(tmp_path / 'whole/epoch_2.pth', tmp_path / 'part/epoch_2.pth')


def test_the_number_of_workers_changes_no_weight(small_dataset, tmp_path):
    for workers in (0, 2):
        config = tiny_config(small_dataset, tmp_path / str(workers))
        config.data.workers_per_gpu = workers
        config.total_epochs = 2
        train(config, seed=1, validate=False)
    assert_same_weights(tmp_path / '0/latest.pth', tmp_path / '2/latest.pth')


def test_fine_tuning_starts_from_the_given_weights(small_dataset, tmp_path):
    train(tiny_config(small_dataset, tmp_path / 'first'), seed=0, validate=False)
    config = tiny_config(small_dataset, tmp_path / 'second')
    config.load_from = str(tmp_path / 'first/latest.pth')
    config.optimizer.lr = 0.0
    train(config, seed=1, validate=False)
    first, second = (weights(tmp_path / name / 'latest.pth') for name in ('first', 'second'))
    parameters = [name for name in first if 'running' not in name and 'tracked' not in name]
    assert all(torch.equal(first[name], second[name]) for name in parameters)


def test_a_resumed_training_remembers_the_best_score(small_dataset, tmp_path):
    work_dir = tmp_path / 'work'
    train(tiny_config(small_dataset, work_dir), seed=0)
    saved = load_checkpoint_file(work_dir / 'epoch_1.pth')
    assert saved['meta']['hook_msgs']['best_score'] < 0.9
    saved['meta']['hook_msgs']['best_score'] = 0.9  # as if the first epoch had been that good
    save_atomically(saved, work_dir / 'epoch_1.pth')
    rest = tiny_config(small_dataset, work_dir)
    rest.total_epochs = 2
    train(rest, auto_resume=True)
    assert load_checkpoint_file(work_dir / 'latest.pth')['meta']['hook_msgs']['best_score'] == 0.9
    assert [path.name for path in work_dir.glob('best_*')] == ['best_mPCK_epoch_1.pth']


def test_weights_alone_cannot_be_resumed_and_the_way_out_is_named(small_dataset, tmp_path):
    train(tiny_config(small_dataset, tmp_path / 'work'), seed=0, validate=False)
    state = weights(tmp_path / 'work/latest.pth')
    save_atomically({'state_dict': state}, tmp_path / 'weights.pth')
    config = tiny_config(small_dataset, tmp_path / 'other')
    config.resume_from = str(tmp_path / 'weights.pth')
    with pytest.raises(CheckpointError, match='weights.pth: holds no training.*load_from'):
        train(config, seed=0, validate=False)


def test_a_bad_annotation_file_stops_training_before_it_starts(small_dataset, tmp_path):
    config = tiny_config(small_dataset, tmp_path / 'work')
    config.data.train.ann_file = 'nowhere.json'
    with pytest.raises(FileNotFoundError, match='nowhere.json'):
        train(config, seed=0)


def test_testing_reports_metrics_the_floor_and_predictions(small_dataset, tmp_path):
    config = tiny_config(small_dataset, tmp_path / 'work')
    train(config, seed=0, validate=False)
    report = evaluate(config, tmp_path / 'work/latest.pth')
    names = {'PCK@0.05', 'PCK@0.1', 'PCK@0.15', 'PCK@0.2', 'mPCK', 'mAP', 'NME', 'AUC', 'EPE'}
    assert set(report['metrics']) == set(report['copy_support']) == names
    assert set(report['per_category']) == {f'category_{c}' for c in range(1, 5)}
    assert [len(p) for p in report['predictions']] == [4, 4, 5, 5, 6, 6, 7, 7]


def test_batches_of_episodes_give_the_predictions_of_single_ones(small_dataset, tmp_path):
    config = tiny_config(small_dataset, tmp_path / 'work')
    train(config, seed=0, validate=False)
    reports = []
    for batch in (1, 3):
        config.data.test_dataloader.samples_per_gpu = batch
        reports.append(evaluate(config, tmp_path / 'work/latest.pth'))
    single, batched = (torch.tensor([*chain(*r['predictions'])]) for r in reports)
    torch.testing.assert_close(single, batched, atol=1e-3, rtol=0)
