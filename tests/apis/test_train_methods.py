"""Training and testing of every method that is trained."""

import pytest
import torch

from fmmp.apis import test as evaluate
from fmmp.apis import train
from fmmp.checkpoints import load_checkpoint_file
from tests.apis.forks import in_two_processes, run_script
from tests.methods import METHODS, TRAINED
from tests.tiny import tiny_config


@pytest.fixture(params=TRAINED)
def config(request, small_dataset, tmp_path):
    """A method's config, of an epoch; and by name, the work directory."""

    def make(epochs, name):
        config = tiny_config(small_dataset, tmp_path / name)
        config.model = METHODS[request.param]
        config.total_epochs = epochs
        return config

    return make


def test_a_training_that_goes_on_ends_like_one_never_stopped_and_its_checkpoint_is_tested(
    config, tmp_path
):
    for epochs, name in ((1, 'stopped'), (2, 'stopped'), (2, 'whole')):
        train(config(epochs, name), seed=3, deterministic=True, validate=False, auto_resume=True)
    paths = [tmp_path / name / 'latest.pth' for name in ('stopped', 'whole')]
    stopped, whole = (load_checkpoint_file(path)['state_dict'] for path in paths)
    assert all(torch.equal(stopped[name], value) for name, value in whole.items())
    report = evaluate(config(2, 'whole'), paths[1])
    assert len(report['predictions']) == 8 and report['metrics']['EPE'] > 0


def test_two_processes_train_together(config, tmp_path):
    config = config(1, 'two')
    config.dump(str(tmp_path / 'config.py'))
    arguments = tmp_path / 'config.py', '--work-dir', tmp_path / 'two', '--seed', 0, '--no-validate'
    assert in_two_processes(lambda rank: run_script('train.py', *arguments)) == [0, 0]
    state = load_checkpoint_file(tmp_path / 'two/latest.pth')['state_dict']
    assert all(value.isfinite().all() for value in state.values())
