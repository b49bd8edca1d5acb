"""Training and testing with a frozen backbone of timm's."""

import pytest
import torch
from fmmp.models.backbones.sources import find_weights, read_weights
from torch.nn import BatchNorm2d

from fmmp.apis import init_model, train
from fmmp.apis import test as evaluate
from fmmp.apis.model import build_model
from fmmp.checkpoints import load_checkpoint_file, load_weights, save_atomically
from fmmp.errors import CheckpointError, InputError
from tests.tiny import tiny_config

SOURCE = 'package:efficientnet_lite0'


@pytest.fixture
def config(small_dataset, tmp_path):
    config = tiny_config(small_dataset, tmp_path / 'work')
    config.model.backbone = dict(
        type='TimmBackbone', model='tf_efficientnet_lite0', weights=SOURCE, frozen=True
    )
    return config


def test_a_frozen_backbones_weights_come_from_their_package_not_from_checkpoints(config, tmp_path):
    train(config, seed=0, validate=False)
    checkpoint = tmp_path / 'work/latest.pth'
    state = load_checkpoint_file(checkpoint)['state_dict']
    assert not any(name.startswith('backbone.') for name in state)
    backbone = init_model(config, checkpoint).backbone.model
    source = read_weights(find_weights(SOURCE))
    # Its batch norms are folded into the convolutions.
    scale = source['_bn0.weight'] / (source['_bn0.running_var'] + 1e-3).sqrt()
    torch.testing.assert_close(
        backbone.conv_stem.weight, source['_conv_stem.weight'] * scale[:, None, None, None]
    )
    shift = source['_bn0.bias'] - source['_bn0.running_mean'] * scale
    torch.testing.assert_close(backbone.conv_stem.bias, shift)
    assert evaluate(config, checkpoint)['metrics']['NME'] > 0


def test_a_checkpoint_that_holds_a_frozen_backbone_loads_and_its_batch_norms_are_folded(
    config, tmp_path
):
    config.model.backbone['weights'] = None  # so that the checkpoint holds it
    model = init_model(config)
    assert any(isinstance(module, BatchNorm2d) for module in model.backbone.modules())
    checkpoint = tmp_path / 'whole.pth'
    torch.save({'state_dict': model.state_dict(), 'meta': {}}, checkpoint)
    config.model.backbone['weights'] = SOURCE
    backbone = init_model(config, checkpoint).backbone
    assert not any(isinstance(module, BatchNorm2d) for module in backbone.modules())


def test_a_trainable_backbone_is_folded_only_for_testing(small_dataset):
    config = tiny_config(small_dataset)
    model, folded = init_model(config), init_model(config, for_testing=True)
    assert any(isinstance(module, BatchNorm2d) for module in model.backbone.modules())
    assert not any(isinstance(module, BatchNorm2d) for module in folded.backbone.modules())


def test_images_that_are_normalised_otherwise_are_refused_with_the_setting(config):
    config.merge_from_dict({'data.test.pipeline.2.mean': [0.5] * 3}, allow_list_keys=True)
    message = r'data.test.pipeline.2.mean must be \[0.485, 0.456, 0.406\].*model.backbone.mean'
    with pytest.raises(InputError, match=message):
        init_model(config)


def test_a_training_whose_backbones_weights_there_are_not_does_not_start(config):
    config.model.backbone['weights'] = 'timm:resnet51'
    with pytest.raises(CheckpointError, match='timm:resnet51: timm has no such weights'):
        train(config, seed=0)


def test_weights_of_a_model_that_is_placed_load_where_it_is_trained_on(config, tmp_path):
    placed = init_model(config)  # whose batch norms are folded
    save_atomically(placed.state_dict(), tmp_path / 'placed.pth')
    model = build_model(config, pretrained=False)
    load_weights(model, tmp_path / 'placed.pth')
    for name, value in model.neck.state_dict().items():
        assert torch.equal(value, placed.neck.state_dict()[name])
    assert any('bn1' in name for name in model.backbone.state_dict())
