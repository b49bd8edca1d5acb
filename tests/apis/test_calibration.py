"""Confidence: fitted after the fact, stored beside the checkpoint, named for what it is."""

import json
import runpy
import sys

import numpy as np
import pytest

from fmmp.apis import Estimator, init_model
from fmmp.apis import test as evaluate
from fmmp.apis.calibrate import held_out, judge, measure
from fmmp.apis.calibration import Calibration, calibration_file, digest
from fmmp.apis.data import build_dataset
from fmmp.apis.settings.reading import read_file
from fmmp.apis.starter import matching_config, starter_config
from fmmp.checkpoints import save_atomically
from fmmp.errors import InputError
from tests.apis.test_estimator import instances
from tests.tiny import ROOT, tiny_config


@pytest.fixture(scope='module')
def dataset(make_dataset, tmp_path_factory):
    return make_dataset(tmp_path_factory.mktemp('data') / 'small')


@pytest.fixture
def checkpoint(dataset, tmp_path):
    path = tmp_path / 'checkpoint.pth'
    save_atomically(init_model(tiny_config(dataset)).state_dict(), path)
    return path


def constant(confidence, checkpoint=None):
    """A calibration that gives every keypoint the same confidence."""
    bias = float(np.log(confidence / (1 - confidence)))
    return Calibration({'there': 0.0}, {'there': 1.0}, {'there': 0.0}, bias, checkpoint)


def test_a_fitted_calibration_gives_the_probabilities_that_the_outcomes_were_drawn_with():
    rng = np.random.default_rng(0)
    evidence = {'a': rng.normal(3, 2, 20000), 'b': rng.normal(size=20000), 'c': np.ones(20000)}
    probability = 1 / (1 + np.exp(2 - evidence['a'] + 0.5 * evidence['b']))
    calibration = Calibration.fit(evidence, rng.random(20000) < probability)
    assert np.abs(calibration(evidence) - probability).max() < 0.03
    assert calibration.weight['c'] == 0


def test_evidence_that_is_all_but_constant_weighs_nothing():
    rng = np.random.default_rng(0)
    evidence = {'a': rng.normal(size=50), 'b': 1e-7 * rng.normal(size=50)}
    calibration = Calibration.fit(evidence, evidence['a'] > 0)
    assert abs(calibration.weight['b']) < 1e-3
    assert np.isfinite(calibration(evidence)).all()


def test_evidence_that_separates_all_right_from_all_wrong_gives_finite_confidences():
    evidence = {'a': np.array([-2.0, -1.0, 1.0, 2.0])}
    calibration = Calibration.fit(evidence, np.array([False, False, True, True]))
    assert calibration(evidence) == pytest.approx([0.15, 0.3, 0.7, 0.85], abs=0.1)
    assert (Calibration.fit(evidence, np.ones(4, bool))(evidence) > 0.9).all()


def test_a_calibration_beside_the_checkpoint_is_used_and_one_of_another_is_left_out(
    dataset, checkpoint
):
    config = tiny_config(dataset)
    support, query = instances(dataset, [0, 1])
    constant(0.3, digest(checkpoint)).save(calibration_file(config, checkpoint))
    (pose,) = Estimator(init_model(config, checkpoint), [support])([query.image], [query.box])
    assert pose.calibrated and pose.confidence == pytest.approx(np.full(4, 0.3), abs=1e-6)

    constant(0.3, 'another').save(calibration_file(config, checkpoint))
    with pytest.warns(UserWarning, match=r'checkpoint\.calibration\.json was fitted to another'):
        model = init_model(config, checkpoint)
    (pose,) = Estimator(model, [support])([query.image], [query.box])
    assert not pose.calibrated


def test_the_starter_is_calibrated_whichever_way_it_is_named(dataset):
    config = tiny_config(dataset)
    found = calibration_file(config, 'starter')
    assert found.is_file()
    assert calibration_file(starter_config(config), None) == found
    floor = calibration_file(matching_config(config), None)
    assert floor.is_file() and floor != found
    assert (
        calibration_file(
            read_file(ROOT / 'configs/matching/efficientnet_lite0_mp100_split1.py'), None
        )
        == floor
    )
    smaller = starter_config(config)
    smaller.data.data_cfg.image_size = 128  # of which nothing was fitted
    assert calibration_file(smaller, None) != found
    assert calibration_file(config, None) is None  # it is to be trained


@pytest.mark.parametrize(
    'content',
    [
        '',
        '[]',
        '{}',
        '{"mean": {"a": 0}, "scale": {}, "weight": {}, "bias": 0}',
        '{"mean": {"a": 0}, "scale": {"a": 0}, "weight": {"a": 1}, "bias": 0}',
    ],
)
def test_a_file_that_is_no_calibration_is_named(dataset, checkpoint, content):
    calibration_file(tiny_config(dataset), checkpoint).write_text(content)
    with pytest.raises(InputError, match=r'checkpoint\.calibration\.json: no calibration'):
        init_model(tiny_config(dataset), checkpoint)


def test_a_calibration_that_weighs_what_the_model_does_not_give_is_refused(dataset):
    model = init_model(tiny_config(dataset))
    model.calibration = Calibration({'peak': 0.0}, {'peak': 1.0}, {'peak': 1.0}, 0.0)
    support, query = instances(dataset, [0, 1])
    with pytest.raises(InputError, match='weighs peak, which the model does not give'):
        Estimator(model, [support])([query.image])


def test_a_test_of_a_calibrated_checkpoint_reports_the_confidence_that_estimates_have(
    dataset, checkpoint
):
    config = tiny_config(dataset)
    assert 'confidence' not in evaluate(config, checkpoint)
    calibration = Calibration({'back': 0.0}, {'back': 2.0}, {'back': 1.0}, 0.5, digest(checkpoint))
    calibration.save(calibration_file(config, checkpoint))
    report = evaluate(config, checkpoint)
    support, query = instances(dataset, report['pairs'][-1])
    (pose,) = Estimator(init_model(config, checkpoint), [support])([query.image], [query.box])
    assert report['confidence'][-1] == pytest.approx(pose.confidence, abs=1e-3)
    assert report['predictions'][-1] == pytest.approx(pose.keypoints, abs=1e-3)


def test_a_test_has_no_confidence_in_a_keypoint_that_no_support_shows(dataset, tmp_path):
    content = json.loads((dataset / 'unified.json').read_text())
    for annotation in content['annotations'][::2]:
        annotation['keypoints'][2] = 0  # hides its first keypoint
    (tmp_path / 'unified.json').write_text(json.dumps(content))
    config = tiny_config(dataset)
    config.data.test.ann_file = str(tmp_path / 'unified.json')
    checkpoint = tmp_path / 'checkpoint.pth'
    save_atomically(init_model(config).state_dict(), checkpoint)
    constant(0.7, digest(checkpoint)).save(calibration_file(config, checkpoint))
    report = evaluate(config, checkpoint)
    instances = build_dataset(config, 'test').instances
    shown = [instances[support].visible[0] > 0 for support, _ in report['pairs']]
    confidence = [values[0] for values in report['confidence']]
    assert set(shown) == {True, False}
    assert confidence == pytest.approx(np.where(shown, 0.7, 0))


def test_a_model_is_judged_on_drawn_episodes_and_hidden_keypoints_count_as_missed(
    dataset, tmp_path
):
    content = json.loads((dataset / 'unified.json').read_text())
    for annotation in content['annotations'][:3]:  # of the first category's four
        annotation['keypoints'][2] = 0  # hides its first keypoint
    (tmp_path / 'unified.json').write_text(json.dumps(content))
    config = tiny_config(dataset)
    config.data.test.ann_file = str(tmp_path / 'unified.json')
    model = init_model(config)
    judged = judge(model, config, 'test', num_episodes=4, num_queries=3, shots=(1,))
    assert set(judged.evidence) == {'similarity', 'there', 'back', 'margin', 'last_step'}
    counts = np.bincount(judged.category)[1:]
    assert 3 * 12 <= counts[0] < 4 * 12  # not those that the support hides
    assert counts[1:].tolist() == [5 * 12, 6 * 12, 7 * 12]
    hidden = ~judged.shown
    assert 0 < hidden.sum() == hidden[judged.category == 1].sum()
    assert judged.right.any() and not judged.right[hidden].any()

    report = measure(judged, [held_out(judged, seed) for seed in range(3)])
    assert report['all']['keypoints'] == len(judged.right) > report['shown']['keypoints']
    assert 0 <= report['all']['ECE'] <= 1


def test_the_command_stores_a_calibration_beside_the_checkpoint_and_checks_it(
    dataset, checkpoint, tmp_path, monkeypatch, capsys
):
    config = tiny_config(dataset)
    (tmp_path / 'config.py').write_text(config.pretty_text)

    def calibrate(*arguments):
        command = ['calibrate.py', tmp_path / 'config.py', checkpoint, '--episodes', 1, *arguments]
        monkeypatch.setattr(sys, 'argv', [*map(str, command)])
        runpy.run_path(str(ROOT / 'tools/calibrate.py'), run_name='__main__')
        return capsys.readouterr().out

    with pytest.raises(SystemExit, match='there is no calibration: leave --check out'):
        calibrate('--check')
    with pytest.raises(SystemExit, match='--evidence: bak: did you mean back'):
        calibrate('--evidence', 'bak')
    printed = calibrate('--evidence', 'there', 'back', '--shots', 1)
    assert 'ECE' in printed and 'checkpoint.calibration.json' in printed
    model = init_model(config, checkpoint)
    assert set(model.calibration.weight) == {'there', 'back'}
    assert 'AUROC' in calibrate('--check', '--subset', 'test')
    alone = ['--cfg-options', 'data.val.valid_class_ids=[1]']
    assert 'one category only' in calibrate('--shots', 1, *alone)
    assert 'ECE' in calibrate('--check', '--shots', 1, *alone)
