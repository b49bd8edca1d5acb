"""What configs may ask of a training beside the method, and what its logs say."""

import json
from importlib.util import find_spec

import pytest
import torch

from fmmp.apis import init_model, train
from fmmp.apis import test as evaluate
from fmmp.apis.hooks import require_loggers
from fmmp.apis.precision import choose_precision
from fmmp.checkpoints import load_checkpoint_file, save_atomically
from fmmp.errors import InputError
from tests.tiny import tiny_config

PRECISIONS = ['bfloat16', 'float16']


@pytest.fixture(scope='module')
def trained(make_dataset, tmp_path_factory):
    """The folder of a training with a frozen stage, a slower backbone and a scaled rate."""
    folder = tmp_path_factory.mktemp('options')
    config = tiny_config(make_dataset(folder / 'data'), folder / 'work')
    config.model.backbone.frozen_stages = 1
    config.optimizer.paramwise_cfg = dict(custom_keys={'backbone': dict(lr_mult=0.1)})
    config.optimizer.weight_decay = 0.1
    config.auto_scale_lr.enable = True
    config.lr_config = dict(policy='fixed')
    if find_spec('tensorboard'):
        config.log_config.hooks.append(dict(type='TensorboardLoggerHook'))
    config.load_from = str(folder / 'initial.pth')
    save_atomically(init_model(config).state_dict(), config.load_from)
    train(config, seed=0)
    return folder / 'work'


@pytest.fixture(scope='module')
def log(trained):
    (file,) = trained.glob('*.log.json')
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    return {mode: [x for x in lines if x.get('mode') == mode] for mode in ('train', 'val')}


def text(trained):
    (file,) = trained.glob('*.log')
    return file.read_text()


def test_losses_are_logged_by_layer_and_kind(log):
    for line in log['train']:
        for kind in ('real', 'mix'):
            layers = [line[f'{kind}_layer{layer}'] for layer in (1, 2)]
            assert sum(layers) == pytest.approx(line[f'loss_{kind}'], rel=1e-4)
        assert line['loss_real'] + line['loss_mix'] == pytest.approx(line['loss'], rel=1e-4)


def test_times_and_memory_are_logged_as_json_and_text(trained, log):
    assert all(0 <= line['data_time'] <= line['time'] for line in log['train'])
    assert all(line['memory'] > 50 for line in log['train'])
    lines = [line for line in text(trained).splitlines() if 'Epoch [1][1/2]' in line]
    for name in ('eta: ', 'data_time: ', 'real_layer1: '):
        assert name in lines[0]
    assert 'memory' in lines[0]


def test_the_learning_rate_grows_with_the_episodes_a_step_and_is_logged_by_part(trained, log):
    # Two episodes a step, where the config's rate is meant for sixteen.
    assert '2 episodes a step, learning rate 1.25e-05' in text(trained)
    for line in log['train']:
        assert line['lr_backbone'] == pytest.approx(1.25e-6, rel=1e-5)
        assert line['lr_neck'] == line['lr_keypoint_head'] == pytest.approx(1.25e-5, rel=1e-5)


def test_validation_is_logged_by_category(trained, log):
    (line,) = log['val']
    for metric in ('mPCK', 'PCK@0.2'):
        values = [line[f'{metric}/category_{c}'] for c in (1, 2, 3, 4)]
        assert sum(values) / 4 == pytest.approx(line[metric], abs=1e-5)
    assert 'category_3: mPCK: ' in text(trained)


def test_frozen_stages_keep_their_weights_and_running_means(trained):
    before = load_checkpoint_file(trained.parent / 'initial.pth')
    after = load_checkpoint_file(trained / 'latest.pth')['state_dict']
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    frozen = [name for name in before if name.startswith(('backbone.bn1', 'backbone.layer1'))]
    assert len(frozen) > 20 and not changed & {'backbone.conv1.weight', *frozen}
    assert {'backbone.layer2.0.conv1.weight', 'neck.projections.0.weight'} <= changed


@pytest.mark.parametrize('precision', PRECISIONS)
def test_mixed_precision_trains_and_tests_near_float32(precision, small_dataset, tmp_path):
    try:
        choose_precision(precision, 'cpu')
    except InputError as error:  # an older torch
        pytest.skip(str(error))
    config = tiny_config(small_dataset, tmp_path / 'work')
    config.precision = precision
    config.optimizer.lr = 0.01
    config.lr_config = dict(policy='fixed')
    config.data.train.valid_class_ids = config.data.test.valid_class_ids = [1]
    train(config, seed=0, validate=False)
    saved = load_checkpoint_file(tmp_path / 'work/latest.pth')
    assert all(v.dtype != getattr(torch, precision) for v in saved['state_dict'].values())
    assert ('loss_scaler' in saved['meta']['hook_msgs']) == (precision == 'float16')
    mixed = evaluate(config, tmp_path / 'work/latest.pth')
    config.precision = 'float32'
    exact = evaluate(config, tmp_path / 'work/latest.pth')
    assert mixed['predictions'] != exact['predictions']
    assert mixed['metrics']['NME'] == pytest.approx(exact['metrics']['NME'], rel=0.05)


def test_an_unknown_precision_is_refused_with_the_known_ones():
    with pytest.raises(InputError, match="'float8': choose from float32, bfloat16, float16"):
        choose_precision('float8', 'cpu')


def test_tensorboard_gets_losses_learning_rates_and_validation(trained):
    pytest.importorskip('tensorboard')
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(trained / 'tf_logs')).Reload()
    tags = set(events.Tags()['scalars'])
    assert {'train/loss', 'train/real_layer1', 'train/memory', 'train/lr_neck'} <= tags
    assert {'val/mPCK', 'val/mPCK/category_1'} <= tags
    assert [event.step for event in events.Scalars('train/loss')] == [1, 2]


def test_a_logger_whose_package_is_missing_is_named_before_training(monkeypatch):
    monkeypatch.setattr('fmmp.apis.hooks.logs.find_spec', lambda package: None)
    with pytest.raises(InputError, match='WandbLoggerHook: pip install wandb'):
        require_loggers(dict(hooks=[dict(type='TextLogger'), dict(type='WandbLoggerHook')]))
