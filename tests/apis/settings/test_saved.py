"""What a checkpoint remembers of its settings, and what is said when a config has others."""

import warnings
from pathlib import Path

import pytest

from fmmp.apis import init_model
from fmmp.apis.settings.saved import RESUMED, differences, settings_of
from fmmp.checkpoints import load_checkpoint_file, save_atomically
from fmmp.errors import CheckpointError
from tests.tiny import tiny_config


def config(**changes):
    config = tiny_config(Path('anywhere'))
    config.model.backbone.base_channels = 8
    config.merge_from_dict({name.replace('__', '.'): value for name, value in changes.items()})
    return config


def changes(parts=RESUMED, **changes):
    return differences(settings_of(config()), config(**changes), parts)


@pytest.fixture
def checkpoint(tmp_path):
    path = tmp_path / 'checkpoint.pth'
    meta = {'settings': settings_of(config())}
    save_atomically({'state_dict': init_model(config()).state_dict(), 'meta': meta}, path)
    return path


def test_settings_are_plain_values_that_any_checkpoint_can_hold(checkpoint):
    saved = load_checkpoint_file(checkpoint)['meta']['settings']
    assert saved == settings_of(config())
    assert saved['model']['backbone']['out_indices'] == [1, 2, 3]
    assert saved['data']['train']['num_shots'] == 1


def test_a_difference_names_the_setting_and_both_values():
    found = changes(model__keypoint_head__num_layers=3, data__data_cfg__num_keypoints=20)
    assert found == [
        'model.keypoint_head.num_layers is 2 in the checkpoint and 3 in the config',
        'data.train.data_cfg.num_keypoints is 12 in the checkpoint and 20 in the config',
        'data.val.data_cfg.num_keypoints is 12 in the checkpoint and 20 in the config',
    ]


def test_a_file_of_the_config_may_lie_in_another_clone():
    there = settings_of(config(model__projection='/one/configs/a.safetensors'))
    here = config(model__projection='/other/place/configs/a.safetensors')
    assert not differences(there, here, RESUMED)
    here = config(model__projection='/one/configs/b.safetensors')
    (line,) = differences(there, here, RESUMED)
    assert line.startswith("model.projection is '/one/configs/a.safetensors' in the checkpoint")


def test_what_changes_nothing_is_no_difference():
    assert not changes(
        model__keypoint_head__structure='given',  # the default
        model__pretrained='torchvision://resnet18',
        model__test_cfg__query_batch_size=3,
        data__data_cfg__mixup_alpha=1.0,  # the default
        data__workers_per_gpu=3,
        data__samples_per_gpu=3,
        data__train__ann_file='elsewhere.json',
        data__train__img_prefix='elsewhere/',
        auto_scale_lr__base_batch_size=4,  # while it is not enabled
        total_epochs=300,
        log_config__interval=7,
    )


def test_of_another_class_the_type_alone_is_named():
    backbone = dict(type='SwinTransformer', embed_dims=8, out_indices=(1, 2, 3), _delete_=True)
    assert changes(model__backbone=backbone) == [
        "model.backbone.type is 'ResNet' in the checkpoint and 'SwinTransformer' in the config"
    ]


def test_a_model_of_other_settings_is_warned_of_though_its_weights_fit(checkpoint):
    other = config(model__keypoint_head__structure='self', data__test__data_cfg__padding='zero')
    with pytest.warns(UserWarning, match="checkpoint.pth .*structure is .*padding is 'uniform'"):
        init_model(other, checkpoint)


def test_a_model_of_the_same_settings_is_not_warned_of(checkpoint):
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        init_model(config(data__test__num_episodes=7), checkpoint)


def test_where_weights_do_not_fit_the_error_names_the_settings(checkpoint):
    deeper = config(model__backbone__depth=34, model__keypoint_head__num_layers=1)
    with pytest.raises(CheckpointError, match='depth is 18 .*num_layers is 2') as error:
        init_model(deeper, checkpoint)
    assert len(str(error.value)) < 1500 and '\n' not in str(error.value)
