"""The starter: keypoints on photographs without a training of one's own."""

import json
import runpy
from dataclasses import replace

import numpy as np
import pytest
from mmcv import Config

from fmmp.apis import Support, estimate, format_report, init_model, train
from fmmp.apis import test as evaluate
from fmmp.apis.data import data_settings
from fmmp.apis.starter import matching_config, starter_config
from fmmp.errors import InputError
from tests.tiny import ROOT, tiny_config


def test_the_starter_is_tested_on_a_configs_data_beside_both_floors(small_dataset):
    content = json.loads((small_dataset / 'unified.json').read_text())
    for category in content['categories']:
        category['skeleton'] = []  # which the starter does not need
    (small_dataset / 'unified.json').write_text(json.dumps(content))
    report = evaluate(tiny_config(small_dataset), 'starter', matching_floor=True)
    assert len(report['pairs']) == 4 * 2  # categories, queries an episode
    floor = evaluate(matching_config(tiny_config(small_dataset)))
    assert report['matching'] == floor['metrics'] != report['metrics'] != report['copy_support']
    assert report['matching_per_category'] == floor['per_category']
    titles, *_, copying, matching = format_report(report).splitlines()
    assert titles.split()[-4:] == ['by', 'copying', 'by', 'matching']
    assert copying.startswith('copying the support')
    assert matching.startswith('matching features')


def test_the_starter_has_its_own_images_and_a_configs_categories_keypoints_and_precision(tmp_path):
    config = tiny_config(tmp_path)
    config.merge_from_dict({'precision': 'bfloat16', 'data.num_shots': 5})
    config.merge_from_dict({'data.test.data_cfg': {'padding': 'uniform', 'image_size': 64}})
    starter = starter_config(config)
    settings = data_settings(starter)
    assert (settings.num_keypoints, settings.image_size, settings.padding) == (12, 256, 'zero')
    assert starter.data.test.ann_file == config.data.test.ann_file
    assert (starter.data.num_shots, starter.precision) == (5, 'bfloat16')
    assert config.model.type == 'FMMP' and 'train' in config.data  # as it was


def test_a_config_without_data_to_test_on_is_refused(tmp_path):
    config = tiny_config(tmp_path)
    config.data.pop('test')
    with pytest.raises(InputError, match='data.test is missing'):
        init_model(config, 'starter')


@pytest.fixture(scope='module')
def starter():
    return init_model(ROOT / 'configs/demo/synthpose.py', 'starter')


@pytest.fixture
def pictures():
    """Two pictures of blots, the second moved, and the blots' places in the first."""
    image = np.full((256, 256, 3), 200, np.uint8)
    image[60:90, 60:100] = 0
    image[140:180, 150:170] = (255, 0, 0)
    points = np.array([[80.0, 75.0], [160.0, 160.0]])
    return image, np.roll(image, (10, 20), (0, 1)), points


def test_the_starter_finds_keypoints_that_nothing_links(starter, pictures):
    first, second, points = pictures
    support = Support(first, points, np.ones(2, bool), ())
    (found,) = estimate(starter, [support], [second])
    assert np.linalg.norm(found - points - (20, 10), axis=1).max() < 12  # pixels
    links = replace(support, skeleton=np.zeros((0, 2), int))  # none either
    assert estimate(starter, [support, links], [second])[0].shape == (2, 2)


def test_the_demo_without_a_config_is_the_starters(pictures, tmp_path, monkeypatch):
    import cv2

    first, second, points = pictures
    cv2.imwrite(str(tmp_path / 'first.png'), first)
    cv2.imwrite(str(tmp_path / 'second.png'), second)
    (tmp_path / 'first.json').write_text(json.dumps({'keypoints': points.tolist()}))
    arguments = '--support first.png --keypoints first.json --queries second.png'
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr('sys.argv', ['demo.py', *arguments.split()])
    runpy.run_path(str(ROOT / 'tools/demo.py'))['main']()
    found = json.loads((tmp_path / 'demo/keypoints.json').read_text())
    assert np.shape(found['second.png']) == (2, 2)
    assert (tmp_path / 'demo/query_1.png').exists()


def test_a_trained_method_without_a_checkpoint_is_refused_at_once_with_the_way_out(tmp_path):
    with pytest.raises(InputError, match='FMMP .* needs a checkpoint: name one .*, or `starter`'):
        evaluate(tiny_config(tmp_path))  # where there are no data either


@pytest.mark.parametrize('name', ['dinov2_s', 'dinov3_s'])
def test_a_transformers_features_are_matched_from_random_weights(name):
    config = Config.fromfile(str(ROOT / f'configs/matching/{name}_mp100_split1.py'))
    config.model.backbone.update(weights=None, depth=1)
    config.data.data_cfg.image_size = 56 if 'v2' in name else 64
    model = init_model(config)
    assert model.remove_position_bias and not model.trainable
    image = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    points = np.array([[20.0, 20.0], [40.0, 30.0]])
    (found,) = estimate(model, [Support(image, points, np.ones(2, bool), ())], [image])
    assert np.abs(found - points).max() < 8  # the support itself


def test_a_method_without_weights_to_train_is_refused_before_anything_is_written(tmp_path):
    config = tiny_config(tmp_path, tmp_path / 'run')
    config.model = starter_config().model
    with pytest.raises(InputError, match="model.type is 'FeatureMatching': nothing to train"):
        train(config)
    assert not (tmp_path / 'run').exists()


def test_the_demo_of_photographs_beats_copying_and_draws_them(tmp_path, monkeypatch, capsys):
    out = tmp_path / 'sheet.jpg'
    monkeypatch.setattr('sys.argv', ['demo_photographs.py', '--out', str(out)])
    runpy.run_path(str(ROOT / 'tools/demo_photographs.py'))['main']()
    (line,) = (line for line in capsys.readouterr().out.splitlines() if line.startswith('all '))
    *_, found, copied = map(float, line.split()[1:])
    assert found > 70 > 40 > copied
    assert out.exists()
