import pytest
import torch

from fmmp.apis.hooks import OptimizerStepHook
from fmmp.errors import InputError
from tests.apis.toy import Weight, batches, run, toy_runner

scaled = pytest.mark.skipif(
    not hasattr(torch.amp, 'GradScaler'), reason='this torch scales no losses on a CPU'
)


def test_batches_make_a_step_of_their_mean_and_those_left_at_an_epochs_end_of_theirs(tmp_path):
    steps = []
    runner = toy_runner(tmp_path, OptimizerStepHook(cumulative_iters=2), epochs=2)
    runner.optimizer.register_step_post_hook(lambda *_: steps.append(runner.model.weight.item()))
    run(runner, batches(1, 2, 3, 4, 5))
    assert steps == [-1.5, -5, -10, -11.5, -15, -20]


def test_gradients_are_clipped_after_they_were_accumulated(tmp_path):
    hook = OptimizerStepHook(cumulative_iters=2, grad_clip=dict(max_norm=1.0))
    runner = toy_runner(tmp_path, hook)
    assert run(runner, batches(3, 5, 0.25, 0.25)) == pytest.approx(-1.25, abs=1e-5)
    assert runner.log_buffer.val_history['grad_norm'] == pytest.approx([4, 0.25])


def test_a_number_of_batches_a_step_that_is_none_is_refused():
    with pytest.raises(InputError, match='cumulative_iters is 0'):
        OptimizerStepHook(cumulative_iters=0)


def float16_runner(work_dir, **settings):
    hook = OptimizerStepHook(loss_scale=dict(init_scale=4.0, growth_interval=3), **settings)
    return toy_runner(work_dir, hook, model=Weight(torch.float16))


@scaled
@pytest.mark.parametrize('clip', [None, dict(max_norm=100.0)], ids=['', 'clipped'])
def test_in_float16_an_overflow_makes_no_step_and_halves_the_losss_scale(tmp_path, clip):
    runner = float16_runner(tmp_path, grad_clip=clip)
    assert run(runner, batches(1e38)) == 0
    assert runner.hooks[0].scaler.get_scale() == 2
    assert run(float16_runner(tmp_path, grad_clip=clip), batches(1e38, 5)) == -5


@scaled
def test_a_resumed_training_scales_the_loss_as_it_would_have(tmp_path):
    runner = float16_runner(tmp_path)
    run(runner, batches(1e38, 1, 1))
    runner.save_checkpoint(str(tmp_path))
    resumed = float16_runner(tmp_path)
    resumed.resume(str(tmp_path / 'latest.pth'))
    resumed._max_epochs = 0
    run(resumed, batches(1))
    assert resumed.hooks[0].scaler.state_dict() == runner.hooks[0].scaler.state_dict()
    assert resumed.hooks[0].scaler.get_scale() == 2
