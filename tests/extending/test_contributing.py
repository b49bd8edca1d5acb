"""What CONTRIBUTING.md promises: a new part is one file, and all commands work with it."""

import json

import numpy as np
import pytest
import torch
from mmcv import Config

from fmmp.apis import estimate, init_model, read_image, read_support, train
from fmmp.apis import test as evaluate
from fmmp.apis.data import build_dataset
from fmmp.checkpoints import load_checkpoint_file
from tests.extending import toys
from tests.tiny import tiny_config


@pytest.fixture
def config(small_dataset, tmp_path):
    config = tiny_config(small_dataset, tmp_path / 'work')
    config.model.backbone.base_channels = 8
    config.custom_imports = dict(imports=['fmmp.apis', toys.__name__])
    return config


def trained_resumed_tested_and_used(config, small_dataset, tmp_path):
    """Train an epoch, go on for another, test, and estimate; returns the test's report."""
    (tmp_path / 'config.py').write_text(config.pretty_text)
    config = Config.fromfile(str(tmp_path / 'config.py'))
    config.work_dir = str(tmp_path / 'work')
    train(config, seed=0)
    config.total_epochs = 2
    train(config, seed=0, auto_resume=True)
    latest = tmp_path / 'work/latest.pth'
    assert load_checkpoint_file(latest)['meta']['epoch'] == 2

    content = json.loads((small_dataset / 'unified.json').read_text())
    annotation, skeleton = content['annotations'][0], content['categories'][0]['skeleton']
    (tmp_path / 'support.json').write_text(json.dumps({**annotation, 'skeleton': skeleton}))
    first, second = (
        small_dataset / 'images' / image['file_name'] for image in content['images'][:2]
    )
    model = init_model(config, latest)
    found = estimate(model, [read_support(first, tmp_path / 'support.json')], [read_image(second)])
    assert found[0].shape == (4, 2) and np.isfinite(found).all()
    return evaluate(config, latest)


def test_a_method_of_a_few_lines_trains_resumes_tests_and_estimates(
    config, small_dataset, tmp_path
):
    config.model = dict(type='ToyMethod', backbone=dict(type='ToyBackbone'))
    config.data.data_cfg.num_references = 0
    report = trained_resumed_tested_and_used(config, small_dataset, tmp_path)
    assert report['metrics']['NME'] != report['copy_support']['NME']  # it has learned to move
    log = next((tmp_path / 'work').glob('*.log.json')).read_text()
    assert '"loss_distance"' in log


def test_an_attention_that_a_config_names_is_the_miners_and_keeps_its_own_weights(
    config, small_dataset, tmp_path
):
    config.model.keypoint_head.attention = 'toy'
    fresh = init_model(config).keypoint_head.query_miners[0].fgsa
    assert isinstance(fresh, toys.ToyAttention)
    assert torch.equal(fresh.project.bias, torch.full((32,), 0.25))
    trained_resumed_tested_and_used(config, small_dataset, tmp_path)


def test_a_padding_that_draws_places_keypoints_anew_each_epoch_and_tests_refuse_it(config):
    config.data.train.data_cfg = dict(padding='toy')
    dataset = build_dataset(config, 'train', seed=0)
    first, again, later = (dataset[index] for index in (0, 0, len(dataset)))
    padded = int(first['num_keypoints'])
    assert first['visible'][:, padded].all() and not first['visible'][:, padded + 1 :].any()
    assert torch.equal(first['points'], again['points'])
    assert not torch.equal(first['points'][:, padded], later['points'][:, padded])
    config.data.test.data_cfg = dict(padding='toy')
    with pytest.raises(ValueError, match="'toy', which draws"):
        build_dataset(config, 'test')
