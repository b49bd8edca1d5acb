"""A data set with a third of its images gone trains and tests on the rest."""

import json
import warnings

import pytest
from fmmp.datasets.mp100.check import check

from fmmp.apis import format_report, train
from fmmp.apis import test as evaluate
from fmmp.apis.data import build_dataset
from tests.tiny import tiny_config


@pytest.fixture
def config(make_dataset, tmp_path):
    """A config of what is usable of a data set that lost 8 of 24 images, a category whole."""
    root = make_dataset(tmp_path / 'lost', num_instances=6)
    for name in [f'category_2/{i}' for i in range(6)] + ['category_1/0', 'category_4/3']:
        (root / f'images/{name}.jpg').unlink()
    _, usable = check(root / 'unified.json', root / 'images', num_queries=2)
    (root / 'unified.json').write_text(json.dumps(usable))
    config = tiny_config(root, tmp_path / 'work')
    for subset in ('train', 'val', 'test'):
        config.data[subset].update(allow_missing=True, valid_class_ids=[1, 2, 3, 4])
    return config


def test_it_trains_and_tests_and_the_results_say_what_is_left_out(config, tmp_path, caplog):
    with pytest.warns(UserWarning, match=r'1 of 4 categories.*left out: category_2 \(0\)'):
        train(config, seed=0)
        report = evaluate(config, tmp_path / 'work/latest.pth')
    assert list(report['per_category']) == ['category_1', 'category_3', 'category_4']
    assert report['left_out'] == {'category_2': 0}
    assert 'left out, with too few instances: category_2' in format_report(report)
    assert "training leaves out, with too few instances: {'category_2': 0}" in caplog.text


def test_without_allow_missing_it_is_an_error_before_the_first_step(config):
    config.data.train.allow_missing = False
    with pytest.raises(ValueError, match=r"'category_2'.*allow_missing=True"):
        train(config, seed=0)


def test_nothing_is_left_out_of_a_whole_data_set(small_dataset, tmp_path):
    config = tiny_config(small_dataset, tmp_path)
    config.data.train.allow_missing = True
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        assert build_dataset(config, 'train').left_out == {}


def test_a_data_set_with_nothing_left_is_an_error(config):
    config.data.test.num_queries = 6
    with pytest.raises(ValueError, match='no category has the 7 instances'):
        build_dataset(config, 'test')
