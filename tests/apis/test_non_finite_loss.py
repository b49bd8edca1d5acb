import math
from pathlib import Path

import pytest

from fmmp.apis.data import build_dataset
from fmmp.apis.hooks import NonFiniteLossHook, OptimizerStepHook
from fmmp.checkpoints import load_checkpoint_file
from fmmp.errors import InputError, NonFiniteLossError
from tests.apis.toy import Files, batches, run, toy_runner
from tests.tiny import tiny_config


def make_runner(work_dir, epochs=1, **settings):
    hooks = NonFiniteLossHook(Files(), **settings), OptimizerStepHook()
    return toy_runner(work_dir, *hooks, epochs=epochs)


@pytest.mark.parametrize('value', [math.nan, math.inf])
def test_training_stops_and_names_the_iteration_and_the_files(tmp_path, value):
    runner = make_runner(tmp_path)
    message = r'iteration 2 \(epoch 1\): .*support_1.jpg, query_1.jpg .*non_finite_iter_2.pth'
    with pytest.raises(NonFiniteLossError, match=message):
        run(runner, batches(3, value))
    assert runner.model.weight.item() == -3


def test_the_batch_is_saved_with_its_files_and_loads_safely(tmp_path):
    with pytest.raises(NonFiniteLossError):
        run(make_runner(tmp_path), batches(math.inf))
    saved = load_checkpoint_file(tmp_path / 'non_finite_iter_1.pth')
    assert saved['batch']['values'].tolist() == [math.inf]
    assert saved['files'] == [['support_0.jpg', 'query_0.jpg']]
    assert [path.name for path in tmp_path.iterdir()] == ['non_finite_iter_1.pth']


def test_a_skipped_batch_leaves_no_trace_but_a_count(tmp_path):
    runner = make_runner(tmp_path, action='skip')
    assert run(runner, batches(1, math.nan, 2)) == -3
    assert runner.model.seen.item() == 3
    assert runner.log_buffer.val_history['loss'] == [0, -2]
    assert runner.meta['hook_msgs']['skipped'] == 1


def test_a_skipped_batch_leaves_the_others_of_its_step(tmp_path):
    hooks = NonFiniteLossHook(Files(), action='skip'), OptimizerStepHook(cumulative_iters=2)
    assert run(toy_runner(tmp_path, *hooks), batches(4, math.nan, math.nan, math.nan)) == -2


def test_too_many_in_a_row_stop_the_training(tmp_path):
    bad = math.nan
    runner = make_runner(tmp_path, action='skip', max_in_a_row=2)
    assert run(runner, batches(bad, bad, 1, bad, bad)) == -1
    saved = {path.name for path in tmp_path.iterdir()}
    assert saved == {'non_finite_iter_1.pth', 'non_finite_iter_2.pth'}
    with pytest.raises(NonFiniteLossError, match=r'iteration 5 .*2 before it were skipped'):
        run(make_runner(tmp_path, action='skip', max_in_a_row=2), batches(1, 1, bad, bad, bad))


def test_the_count_goes_on_after_resuming(tmp_path):
    runner = make_runner(tmp_path, action='skip')
    run(runner, batches(math.nan, 1))
    runner.save_checkpoint(str(tmp_path))
    resumed = make_runner(tmp_path, action='skip', epochs=3)
    resumed.resume(str(tmp_path / 'latest.pth'))
    run(resumed, batches(math.nan, 1))
    assert resumed.meta['hook_msgs']['skipped'] == 2


def test_weights_that_are_not_finite_are_not_saved(tmp_path):
    runner = make_runner(tmp_path)
    runner.model.weight.data.fill_(math.nan)
    with pytest.raises(NonFiniteLossError, match='epoch 1: weight is not finite.*grad_clip'):
        runner.save_checkpoint(tmp_path)
    assert not [*tmp_path.iterdir()]


def test_an_unknown_action_is_refused_with_the_known_ones():
    with pytest.raises(InputError, match="'ignore': choose from stop, skip"):
        NonFiniteLossHook(Files(), action='ignore')


def test_an_episodes_images_are_named_supports_first(small_dataset):
    dataset = build_dataset(tiny_config(small_dataset), 'train')
    support, query = dataset.files(5)  # an epoch has four episodes
    assert Path(support).parent == Path(query).parent and support != query
    assert Path(query).is_file()
