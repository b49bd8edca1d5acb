import json
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import pytest
from fmmp.datasets.annotations import load_annotations
from fmmp.datasets.episodes import evaluation_pairs
from fmmp.datasets.metrics import copy_support, evaluate_pairs, mean_metrics
from fmmp.datasets.synthpose import SynthPoseCategory, synthpose_split, write_synthpose

SCRIPT = Path(__file__).parents[3] / 'tools' / 'dataset' / 'make_synthetic.py'
TEST_CATEGORIES = synthpose_split()['test']


def small(out_dir, **settings):
    defaults = {'seed': 3, 'categories': 2, 'instances': 2, 'size': 64}
    return write_synthpose(out_dir, **(defaults | settings))


def keypoints_of(annotation):
    keypoints = np.reshape(annotation['keypoints'], (-1, 3))
    return keypoints[:, :2], keypoints[:, 2].astype(int)


def crop_coordinates(annotation):
    """Keypoints in units of the longer side of the box, about its centre."""
    x, y, w, h = annotation['bbox']
    points, visibility = keypoints_of(annotation)
    return (points - (x + w / 2, y + h / 2)) / max(w, h), visibility > 0


@pytest.fixture(scope='module')
def figures():
    return [SynthPoseCategory(0, category).figure for category in range(1, 61)]


@pytest.fixture(scope='module')
def samples():
    """Twelve instances, (image, annotation), of every test category at the default settings."""
    return {
        category: [SynthPoseCategory(0, category).instance(i) for i in range(12)]
        for category in TEST_CATEGORIES
    }


def pairs(samples):
    return [
        (support, query)
        for instances in samples.values()
        for support in instances
        for query in instances
        if support is not query
    ]


# The files


def test_a_seed_gives_the_same_files_whatever_the_number_of_workers(tmp_path):
    small(tmp_path / 'a')
    small(tmp_path / 'b', workers=2)
    files = sorted(p.relative_to(tmp_path / 'a') for p in (tmp_path / 'a').rglob('*.*'))
    assert len(files) == 1 + 4
    for file in files:
        assert (tmp_path / 'a' / file).read_bytes() == (tmp_path / 'b' / file).read_bytes()


def test_another_seed_gives_other_annotations(tmp_path):
    small(tmp_path / 'a')
    small(tmp_path / 'b', seed=4)
    first, second = (json.loads((tmp_path / d / 'unified.json').read_text()) for d in 'ab')
    assert first['annotations'] != second['annotations']


def test_more_categories_and_instances_leave_the_others_as_they_are(tmp_path):
    small(tmp_path / 'a')
    small(tmp_path / 'b', categories=3, instances=3)
    first, second = (json.loads((tmp_path / d / 'unified.json').read_text()) for d in 'ab')
    boxes = {tuple(annotation['bbox']) for annotation in second['annotations']}
    assert all(tuple(annotation['bbox']) in boxes for annotation in first['annotations'])


def test_the_annotations_load_and_name_images_of_the_size_asked_for(tmp_path):
    small(tmp_path / 'a')
    categories, instances = load_annotations(tmp_path / 'a' / 'unified.json')
    assert len(categories) == 2 and len(instances) == 4
    for instance in instances.values():
        assert cv2.imread(str(tmp_path / 'a' / 'images' / instance.image)).shape == (64, 64, 3)


def test_a_finished_folder_is_kept_and_recognised(tmp_path):
    assert small(tmp_path / 'a')
    before = (tmp_path / 'a' / 'unified.json').stat().st_mtime_ns
    assert not small(tmp_path / 'a')
    assert (tmp_path / 'a' / 'unified.json').stat().st_mtime_ns == before


def test_a_folder_with_other_settings_is_refused_by_name(tmp_path):
    small(tmp_path / 'a')
    with pytest.raises(FileExistsError, match='seed'):
        small(tmp_path / 'a', seed=5)


def test_a_folder_that_holds_something_else_is_refused(tmp_path):
    (tmp_path / 'notes.txt').write_text('mine')
    with pytest.raises(FileExistsError, match='no SynthPose'):
        small(tmp_path)


def test_an_interrupted_run_leaves_nothing(tmp_path):
    def interrupt(done, total):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        small(tmp_path / 'a', progress=interrupt)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize('setting', ['categories', 'instances', 'size', 'workers', 'seed'])
def test_a_setting_out_of_range_is_named(tmp_path, setting):
    with pytest.raises(ValueError, match=setting):
        small(tmp_path / 'a', **{setting: -1})


def test_the_command_makes_the_data_set_once_and_refuses_other_settings(tmp_path):
    def run(*options):
        settings = ['--categories', '1', '--instances', '2', '--size', '64', '--workers', '1']
        command = [sys.executable, SCRIPT, tmp_path / 'a', *settings, *options]
        environment = {'PYTHONPATH': str(SCRIPT.parents[2])}
        return subprocess.run(command, capture_output=True, text=True, env=environment)

    assert '2 images' in run().stdout
    assert 'already' in run().stdout
    refused = run('--seed', '1')
    assert refused.returncode != 0 and 'seed' in refused.stderr


# The split


def test_sixty_categories_are_split_42_6_12():
    split = synthpose_split(60)
    assert {subset: len(ids) for subset, ids in split.items()} == {
        'train': 42,
        'val': 6,
        'test': 12,
    }
    assert sorted(c for ids in split.values() for c in ids) == list(range(1, 61))


def test_further_categories_are_for_training():
    more, default = synthpose_split(100), synthpose_split(60)
    assert more['test'] == default['test'] and more['val'] == default['val']
    assert len(more['train']) == 82


# Figures


def test_a_figure_has_5_to_30_keypoints_with_names_of_their_own(figures):
    for figure in figures:
        assert 5 <= len(figure.rest) <= 30
        assert len(set(figure.names)) == len(figure.rest)


def test_a_skeleton_is_connected_and_names_each_link_once(figures):
    for figure in figures:
        links = {frozenset(link) for link in figure.skeleton}
        assert len(links) == len(figure.skeleton)
        reached = {0}
        for _ in figure.rest:
            reached |= {k for link in links if link & reached for k in link}
        assert reached == set(range(len(figure.rest)))


def test_a_figure_at_rest_is_its_rest_pose(figures):
    for figure in figures[:5]:
        pose = figure.pose(np.zeros(len(figure.limit)), np.ones(len(figure.rest)))
        np.testing.assert_allclose(pose, figure.rest, atol=1e-12)


def test_a_turned_joint_moves_what_hangs_on_it_and_keeps_the_distances_to_parents(figures):
    figure = next(figure for figure in figures if figure.body == 'chain')
    angles = np.zeros(len(figure.limit))
    angles[figure.joint[2]] = 0.5
    pose = figure.pose(angles, np.ones(len(figure.rest)))
    np.testing.assert_allclose(pose[:2], figure.rest[:2], atol=1e-12)
    assert np.hypot(*(pose[2] - figure.rest[2])) > 0.01
    reach, rest = (
        np.hypot(*(points[1:] - points[figure.parent[1:]]).T) for points in (pose, figure.rest)
    )
    np.testing.assert_allclose(reach, rest)


# Instances


def test_all_three_visibilities_occur_and_labelled_keypoints_lie_in_the_image(samples):
    seen = set()
    for instances in samples.values():
        for _, annotation in instances:
            points, visibility = keypoints_of(annotation)
            seen |= set(visibility)
            assert (points[visibility > 0] >= 0).all() and (points[visibility > 0] <= 255).all()
            assert (points[visibility == 0] == 0).all()
            assert annotation['num_keypoints'] == (visibility > 0).sum() >= 3
    assert seen == {0, 1, 2}


def test_most_keypoints_are_in_plain_sight(samples):
    visibility = [keypoints_of(a)[1] for instances in samples.values() for _, a in instances]
    assert (np.concatenate(visibility) == 2).mean() > 0.7


def test_a_box_holds_the_visible_keypoints_with_little_slack(samples):
    slack = []
    for instances in samples.values():
        for _, annotation in instances:
            points, visibility = keypoints_of(annotation)
            x, y, w, h = annotation['bbox']
            seen = points[visibility == 2]
            assert (seen >= (x - 0.1, y - 0.1)).all()
            assert (seen <= (x + w + 0.1, y + h + 0.1)).all()
            slack.append(max(w, h) / np.ptp(points[visibility > 0], axis=0).max())
    assert 1 <= np.median(slack) < 1.3


def test_copying_the_support_scores_as_on_real_photographs(tmp_path):
    write_synthpose(tmp_path / 'a', instances=6)
    _, instances = load_annotations(tmp_path / 'a' / 'unified.json', TEST_CATEGORIES)
    by_category = {category: [] for category in TEST_CATEGORIES}
    for number, instance in instances.items():
        by_category[instance.category_id].append(number)
    pairs = evaluation_pairs(by_category, TEST_CATEGORIES, 1, 5, 6)
    scores = mean_metrics(evaluate_pairs(pairs, copy_support(pairs, instances), instances))
    assert 0.40 <= scores['PCK@0.2'] <= 0.65


def test_poses_differ_by_more_than_rotation_scale_and_place(samples):
    """The best similarity between two instances leaves much of the figure unexplained."""
    residuals, turns = [], []
    for (_, support), (_, query) in pairs(samples):
        (a, known), (b, labelled) = crop_coordinates(support), crop_coordinates(query)
        both = known & labelled
        a, b = (points[both] @ [1, 1j] for points in (a, b))
        a, b = a - a.mean(), b - b.mean()
        similarity = np.vdot(a, b) / np.vdot(a, a)
        residuals.append(np.sqrt((np.abs(similarity * a - b) ** 2).mean()))
        turns.append(np.degrees(np.angle(similarity)))
    assert np.median(residuals) > 0.04
    assert 15 < np.std(turns) < 60


def test_categories_differ_in_skeleton(figures):
    layouts = {tuple(sorted(np.bincount(np.ravel(figure.skeleton)))) for figure in figures}
    assert len(layouts) > 50
    assert {figure.body for figure in figures} == {'spine', 'ring', 'fan', 'chain'}
    counts = [len(figure.rest) for figure in figures]
    assert min(counts) < 9 and max(counts) > 24


def test_categories_differ_in_colour_more_than_their_instances_do(samples):
    """Chromaticity at the keypoints: an instance's nearest neighbour is of its own category."""
    looks, labels = [], []
    for category, instances in samples.items():
        for image, annotation in instances:
            points, visibility = keypoints_of(annotation)
            x, y = points[visibility == 2].astype(int).T
            colours = cv2.blur(image, (5, 5))[y, x].astype(float) + 1
            colours /= colours.sum(1, keepdims=True)
            bins = np.histogramdd(colours[:, :2], bins=6, range=[(0.1, 0.7)] * 2)[0].ravel()
            looks.append(np.sqrt(bins / max(bins.sum(), 1)))
            labels.append(category)
    looks, labels = np.array(looks), np.array(labels)
    similarity = looks @ looks.T - 2 * np.eye(len(looks))
    assert (labels[similarity.argmax(1)] == labels).mean() > 0.6  # by chance: 0.08


def test_a_keypoint_can_be_told_from_the_others_by_its_surroundings(samples):
    """The colours around a support's keypoint are nearest to the query's same keypoint."""

    def describe(image):
        image = image / image.mean((0, 1))
        return np.concatenate([cv2.GaussianBlur(image, (0, 0), s) for s in (2, 5)], -1)

    gains = []
    for instances in samples.values():
        described = [
            (describe(image), *keypoints_of(annotation)) for image, annotation in instances[:5]
        ]
        for (image_a, points_a, seen_a), (image_b, points_b, seen_b) in pairwise(described):
            both = np.flatnonzero((seen_a == 2) & (seen_b == 2))
            a, b = (
                image[tuple(points[both].astype(int).T[::-1])]
                for image, points in ((image_a, points_a), (image_b, points_b))
            )
            nearest = ((a[:, None] - b) ** 2).sum(-1).argmin(1)
            gains.append((nearest == np.arange(len(both))).mean() * len(both))
    assert np.mean(gains) > 2.5  # times the rate of guessing
