"""Validation during a training, and the best checkpoint that it keeps."""

import pytest
from torch.utils.data import DataLoader, Dataset

from fmmp.apis import train
from fmmp.apis.hooks import SaveHook
from fmmp.apis.runner import ValidationHook
from fmmp.checkpoints import load_checkpoint_file
from tests.apis.toy import Weight, batches, run, toy_runner
from tests.tiny import tiny_config


class Noting(Weight):
    """Notes for every step whether it is in training mode."""

    def __init__(self):
        super().__init__()
        self.modes = []

    def train_step(self, data_batch, optimizer):
        self.modes.append(self.training)
        return super().train_step(data_batch, optimizer)


class Scores(Dataset):
    """Stands in for what is validated on: tells one score after the other, of any metric."""

    def __init__(self, metric, scores):
        self.metric, self.scores = metric, iter(scores)

    def __len__(self):
        return 1

    def evaluate(self, results, **kwargs):
        return {self.metric: next(self.scores)}


def validated(tmp_path, metric, scores, epochs, **settings):
    """Train further by an epoch a score; returns the steps' modes and the best checkpoints."""

    def test_fn(model, loader):
        model.eval()
        return []

    hook = ValidationHook(
        DataLoader(Scores(metric, scores)), save_best=metric, test_fn=test_fn, **settings
    )
    runner = toy_runner(tmp_path, hook, SaveHook(), model=Noting(), epochs=epochs)
    if (tmp_path / 'latest.pth').exists():
        runner.resume(str(tmp_path / 'latest.pth'))
    run(runner, batches(1, 2))
    return runner.model.modes, sorted(path.name for path in tmp_path.glob('best_*'))


@pytest.mark.parametrize('start', [None, 0, 1])
def test_steps_are_in_training_mode_from_the_first_one_and_after_a_resumption(tmp_path, start):
    settings = dict(start=start, interval=2)
    modes, best = validated(tmp_path, 'mPCK', [0.2] * 3, 2, **settings)
    assert modes == [True] * 4
    modes, _ = validated(tmp_path, 'mPCK', [0.1] * 3, 4, **settings)
    assert modes == [True] * 4
    assert all(load_checkpoint_file(tmp_path / name)['meta']['epoch'] <= 2 for name in best)


def test_scores_of_another_metric_are_no_rivals_after_a_resumption(tmp_path):
    assert validated(tmp_path, 'PCK@0.2', [0.7, 0.6], 2)[1] == ['best_PCK@0.2_epoch_1.pth']
    assert validated(tmp_path, 'mPCK', [0.3, 0.2], 4)[1] == ['best_mPCK_epoch_3.pth']
    assert validated(tmp_path, 'mPCK', [0.2, 0.4], 6)[1] == ['best_mPCK_epoch_6.pth']


def test_scores_on_other_data_are_no_rivals_after_a_resumption(small_dataset, tmp_path):
    config = tiny_config(small_dataset, tmp_path / 'work')
    config.total_epochs = config.evaluation.interval = 1
    train(config, seed=0)
    path = tmp_path / 'work/latest.pth'
    assert 'best_score' in load_checkpoint_file(path)['meta']['hook_msgs']
    config.data.val.num_episodes += 1
    config.total_epochs = 2
    config.evaluation.interval = 3  # no validation any more
    train(config, seed=0, auto_resume=True, accept_changes=True)
    assert 'best_score' not in load_checkpoint_file(path)['meta']['hook_msgs']
    assert (tmp_path / 'work/best_mPCK_epoch_1.pth').exists()  # until there is another
