import copy
import json
import pickle
import random
from pathlib import Path

import numpy as np
import pytest
import torch
from fmmp.datasets.evaluation import TestEpisodes
from fmmp.datasets.sampler import EpisodeSampler
from fmmp.datasets.structure import structural_references
from fmmp.datasets.training import TrainEpisodes
from mmcv import Config
from mmpose.datasets.builder import PIPELINES
from torch.utils.data import DataLoader

from fmmp.apis.data import build_dataset

CONFIGS = Path(__file__).parents[2] / 'configs/_base_/datasets'
BASE = Config.fromfile(str(CONFIGS / 'mp100.py'))
K = 12


def build(root, subset, data_cfg=None, **options):
    """Build one of the base config's data sets on the small data set, with small crops."""
    config = copy.deepcopy(BASE)
    own = config.data[subset]
    own.update(
        ann_file=str(root / 'unified.json'), img_prefix=str(root / 'images'), valid_class_ids=None
    )
    own.update(options)
    own.data_cfg.update({'image_size': 64, 'num_keypoints': K, **(data_cfg or {})})
    return build_dataset(config, subset)


def train_set(root, **options):
    return build(root, 'train', **options)


def evaluation_set(root, **options):
    return build(root, 'test', **{'num_queries': 2, 'num_episodes': 2, **options})


def edit(root, change):
    file = root / 'unified.json'
    content = json.loads(file.read_text())
    change(content)
    file.write_text(json.dumps(content))


def same(first, second):
    return first.keys() == second.keys() and all(torch.equal(first[k], second[k]) for k in first)


def batches(dataset, epochs=(0,), **options):
    sampler = EpisodeSampler(dataset)
    loader = DataLoader(dataset, batch_size=4, sampler=sampler, **options)
    result = []
    for epoch in epochs:
        sampler.set_epoch(epoch)
        result += list(loader)
    return result


def test_a_training_item_holds_the_supports_and_the_query_as_plain_tensors(small_dataset):
    item = train_set(small_dataset, num_shots=2)[0]
    assert {key: (tuple(x.shape), x.dtype) for key, x in item.items()} == {
        'imgs': ((3, 3, 64, 64), torch.float32),
        'points': ((3, K, 2), torch.float32),
        'visible': ((3, K), torch.bool),
        'reference_index': ((3, K, 16), torch.int64),
        'num_keypoints': ((), torch.int64),
        'num_queries': ((), torch.int64),
        'index': ((), torch.int64),
    }
    assert item['visible'].all()


def test_a_test_item_holds_one_episode_of_several_queries(small_dataset):
    dataset = evaluation_set(small_dataset, num_shots=2)
    item = dataset[3]
    assert item['imgs'].shape == (4, 3, 64, 64)
    assert item['num_queries'] == 2
    assert len(dataset) == 4 * 2
    assert len(dataset.pairs) == 4 * 2 * 2
    assert dataset.pairs[6][:2] == dataset.pairs[7][:2]


def test_images_are_rgb_with_imagenets_mean_and_deviation(small_dataset):
    import cv2

    red = np.zeros((64, 80, 3), np.uint8)
    red[..., 2] = 255
    for file in (small_dataset / 'images').rglob('*.jpg'):
        cv2.imwrite(str(file), red)
    center = evaluation_set(small_dataset)[0]['imgs'][0, :, 32, 32]
    expected = (torch.tensor([254 / 255, 0, 0]) - torch.tensor([0.485, 0.456, 0.406])) / (
        torch.tensor([0.229, 0.224, 0.225])
    )
    torch.testing.assert_close(center, expected, atol=0.03, rtol=0)


def test_supports_and_query_are_padded_by_the_same_draw(small_dataset):
    def change(content):  # all instances alike, so that only the draws could differ
        for annotation in content['annotations']:
            like = content['annotations'][4 * (annotation['category_id'] - 1)]
            annotation.update(bbox=like['bbox'], keypoints=like['keypoints'])

    edit(small_dataset, change)
    still = [step for step in BASE.data.train.pipeline if 'Random' not in step['type']]
    points = train_set(small_dataset, num_shots=2, pipeline=still)[0]['points']
    assert torch.equal(points[0], points[1])
    assert torch.equal(points[0], points[2])


def test_training_augments_every_image_of_an_episode_by_itself(small_dataset):
    def change(content):
        for annotation in content['annotations']:
            like = content['annotations'][4 * (annotation['category_id'] - 1)]
            annotation.update(bbox=like['bbox'], keypoints=like['keypoints'])

    edit(small_dataset, change)
    points = train_set(small_dataset)[0]['points']
    assert not torch.allclose(points[0], points[1])


def test_every_epoch_draws_anew_and_the_same_seed_the_same(small_dataset):
    dataset = train_set(small_dataset)
    size = len(dataset)
    assert not torch.equal(dataset[0]['points'], dataset[size]['points'])
    assert same(dataset[0], train_set(small_dataset)[0])
    assert not torch.equal(dataset[0]['points'], train_set(small_dataset, seed=1)[0]['points'])


def test_batches_do_not_depend_on_the_number_of_workers(small_dataset):
    dataset = train_set(small_dataset)
    expected = batches(dataset, epochs=(0, 1))
    assert len(expected) == 8
    for options in (
        {'num_workers': 1},
        {'num_workers': 2},
        {'num_workers': 2, 'persistent_workers': True},
    ):
        assert all(map(same, batches(dataset, epochs=(0, 1), **options), expected))


def test_no_two_samples_of_an_epoch_share_their_draws(small_dataset):
    items = batches(train_set(small_dataset), num_workers=2)
    images = torch.cat([batch['imgs'].flatten(0, 1) for batch in items]).flatten(1)
    assert len(torch.unique(images, dim=0)) == len(images)


@PIPELINES.register_module()
class DrawNumbers:
    """Puts a number from each global generator in the image's place."""

    def __call__(self, results):
        drawn = [random.random(), np.random.rand(), torch.rand(1).item()]  # noqa: NPY002
        return {**results, 'img': torch.tensor(drawn)}


def draws(root, seed=0, epochs=(0, 1), rank=0, world_size=1, **options):
    """The numbers that a process draws for each sample's images, by the sample's index."""
    dataset = train_set(root, seed=seed, pipeline=[{'type': 'DrawNumbers'}])
    sampler = EpisodeSampler(dataset, world_size, rank)
    loaded = {}
    for epoch in epochs:
        sampler.set_epoch(epoch)
        for batch in DataLoader(dataset, sampler=sampler, **options):
            loaded[batch['index'].item()] = batch['imgs'][0]
    return loaded


def test_what_transforms_draw_depends_on_the_seed_the_epoch_and_the_sample_alone(small_dataset):
    alone = draws(small_dataset)
    numbers = torch.cat(list(alone.values()))
    assert numbers.shape == (2 * 16 * 2, 3)  # epochs, samples, images
    assert all(len(generator.unique()) == len(numbers) for generator in numbers.T)
    torch.manual_seed(5)
    shared = {}
    for rank, workers in ((0, 0), (1, 2)):
        options = {'rank': rank, 'world_size': 2, 'num_workers': workers}
        shared.update(draws(small_dataset, **options))
    assert shared.keys() == alone.keys()
    assert all(torch.equal(shared[index], alone[index]) for index in alone)
    assert not torch.isin(torch.cat(list(draws(small_dataset, seed=1).values())), numbers).any()


def test_loading_leaves_the_global_generators_alone(small_dataset):
    def states():
        numpy_state = np.random.get_state()  # noqa: NPY002
        return pickle.dumps((random.getstate(), numpy_state, torch.get_rng_state().numpy()))

    dataset, before = train_set(small_dataset), states()
    dataset[0]
    assert states() == before


def test_five_shots_take_five_supports(tmp_path, make_dataset):
    root = make_dataset(tmp_path / 'more', num_categories=1, num_instances=7)
    assert train_set(root, num_shots=5)[0]['imgs'].shape[0] == 6
    dataset = evaluation_set(root, num_shots=5)
    assert dataset[0]['imgs'].shape[0] == 7
    assert all(len(set(pair)) == 6 for pair in dataset.pairs)


def test_the_split_files_one_based_skeletons_give_the_same_items(small_dataset):
    expected = evaluation_set(small_dataset)[0]

    def change(content):
        for category in content['categories']:
            category['skeleton'] = [[i + 1, j + 1] for i, j in category['skeleton']]

    edit(small_dataset, change)
    assert same(evaluation_set(small_dataset, skeleton_base='mp100')[0], expected)


def test_each_image_has_the_references_of_the_keypoints_that_it_shows(small_dataset):
    def hide(content):  # another keypoint of each instance
        for number, annotation in enumerate(content['annotations']):
            annotation['keypoints'][3 * (number % 4) + 2] = 0

    edit(small_dataset, hide)
    dataset = evaluation_set(small_dataset, data_cfg={'padding': 'zero'})
    item = dataset[0]
    patterns = {tuple(shown) for shown in item['visible'].tolist()}
    assert len(patterns) > 1
    skeleton = dataset.categories[1].skeleton
    for shown, references in zip(item['visible'], item['reference_index'], strict=True):
        expected, _ = structural_references(shown.numpy(), skeleton, 16)
        assert np.array_equal(references, expected)


@pytest.mark.parametrize('subset', ['train', 'test'])
def test_random_links_change_the_references_alone_and_for_every_episode_alike(
    small_dataset, subset
):
    options = {'num_episodes': 3, 'num_queries': 1, 'valid_class_ids': [4]}
    options['data_cfg'] = {'padding': 'zero'}
    given = build(small_dataset, subset, **options)
    options['data_cfg']['links'] = 'random'
    moved = build(small_dataset, subset, **options)
    references = set()
    for one, other in zip(given, moved, strict=True):
        assert {key for key in one if not torch.equal(one[key], other[key])} == {'reference_index'}
        count = int(other['num_keypoints'])
        found = other['reference_index'][0, :count]
        assert all(len(set(row.tolist())) == count for row in found)  # a tree reaches all
        references.add(tuple(found.flatten().tolist()))
    assert len(references) == 1


def test_zero_padding_takes_categories_without_a_skeleton(small_dataset):
    edit(small_dataset, lambda content: content['categories'][0].update(skeleton=[]))
    item = evaluation_set(small_dataset, data_cfg={'padding': 'zero'})[0]
    assert item['visible'][0].tolist() == [True] * 4 + [False] * (K - 4)


def test_a_query_without_a_labelled_keypoint_gives_no_nan(small_dataset):
    def change(content):
        for annotation in content['annotations']:
            annotation['keypoints'][2::3] = [0] * (len(annotation['keypoints']) // 3)

    edit(small_dataset, change)
    for dataset in (train_set(small_dataset), evaluation_set(small_dataset)):
        for item in dataset:
            assert not item['visible'].any()
            assert item['points'].isfinite().all()


def test_data_sets_survive_pickling(small_dataset):
    for dataset in (train_set(small_dataset), evaluation_set(small_dataset)):
        item = dataset[1]
        assert same(pickle.loads(pickle.dumps(dataset))[1], item)


def results_of(dataset, offset=0.0):
    """What a model returns that predicts every keypoint `offset` pixels off, batches of two."""
    results = []
    for start in range(0, len(dataset), 2):
        indices = [start, start + 1]
        predictions = []
        for index in indices:
            pairs = dataset.pairs[index * 2 : index * 2 + 2]
            points = np.zeros((2, K, 2), np.float32)
            for query, pair in enumerate(pairs):
                instance = dataset.instances[pair[-1]]
                x, y, w, h = instance.box
                corner = np.array([x + w / 2, y + h / 2]) - 1.25 * max(w, h) / 2
                target = instance.keypoints + np.array([offset, 0])
                points[query, : len(target)] = (target - corner) / (1.25 * max(w, h))
            predictions.append(points)
        results.append({'index': torch.tensor(indices), 'points': predictions})
    return results


def test_perfect_predictions_score_one_whatever_their_order(small_dataset):
    dataset = evaluation_set(small_dataset)
    metrics = dataset.evaluate(results_of(dataset)[::-1])
    assert (metrics['mPCK'], metrics['mAP']) == (1, 1)
    assert metrics['EPE'] == pytest.approx(0, abs=1e-4)  # points are float32


def test_indices_of_a_later_epoch_are_of_the_same_episodes(small_dataset):
    dataset = evaluation_set(small_dataset)
    results = results_of(dataset)
    for result in results:
        result['index'] = result['index'] + 3 * len(dataset)
    assert dataset.evaluate(results)['mPCK'] == 1


def test_an_episode_without_prediction_is_an_error(small_dataset):
    dataset = evaluation_set(small_dataset)
    with pytest.raises(ValueError, match='2 of 8 episodes have no prediction'):
        dataset.evaluate(results_of(dataset)[1:])


def test_the_report_is_json_with_everything_by_pair_and_category(small_dataset):
    dataset = evaluation_set(small_dataset, valid_class_ids=['category_2', 1])
    report = json.loads(json.dumps(dataset.report(results_of(dataset, offset=1))))
    assert report['metrics']['EPE'] == pytest.approx(1, abs=1e-4)
    assert list(report['per_category']) == ['category_2', 'category_1']
    assert report['per_category']['category_1']['EPE'] == pytest.approx(1, abs=1e-4)
    assert report['pairs'] == dataset.pairs
    assert [len(points) for points in report['predictions']] == [5] * 4 + [4] * 4
    assert report['copy_support'].keys() == report['metrics'].keys()
    mean = np.mean([x['NME'] for x in report['copy_support_per_category'].values()])
    assert report['copy_support']['NME'] == pytest.approx(mean)


def test_the_mean_of_the_pairs_scores_is_the_metric_of_all_and_of_each_category(small_dataset):
    dataset = evaluation_set(small_dataset, valid_class_ids=['category_2', 1])
    report = dataset.report(results_of(dataset, offset=5))
    for metric, scores in report['pair_scores'].items():
        assert len(scores) == len(report['pairs']) == 8
        for part, metrics in (
            (scores, report['metrics']),
            (scores[:4], report['per_category']['category_2']),
            (scores[4:], report['per_category']['category_1']),
        ):
            assert np.mean(part) == pytest.approx(metrics[metric], abs=1e-6)
    assert report['pair_scores'].keys() == report['metrics'].keys() - {'mAP'}


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        ({'num_queries': 4}, r"unified\.json.*'category_1' \(1\): 4 instances.*1 supports \+ 4"),
        ({'valid_class_ids': ['nose']}, r"unified\.json: unknown category 'nose'"),
        ({'valid_class_ids': {'split': 9, 'subset': 'test'}}, 'unknown split 9'),
        ({'data_cfg': {'num_keypoints': 6}}, r"unified\.json.*'category_4'.*7 keypoints"),
        ({'data_cfg': {'padding': 'mean'}}, "padding is 'mean'"),
        ({'data_cfg': {'padding': 'mixup'}}, "test with 'uniform'"),
        ({'data_cfg': {'links': 'full'}}, "links is 'full': choose from given, random"),
        ({'data_cfg': {'image_size': 0}}, 'image_size is 0'),
        ({'data_cfg': {'imagesize': 64}}, 'unknown settings'),
        ({'num_shots': 0}, 'num_shots is 0'),
        ({'num_episodes': 0}, 'num_episodes is 0'),
        ({'skeleton_base': 2}, 'skeleton_base is 2'),
        ({'seed': None}, 'seed is None'),
    ],
)
def test_what_cannot_be_used_is_said_at_construction(small_dataset, options, message):
    with pytest.raises(ValueError, match=message):
        evaluation_set(small_dataset, **options)


def test_a_training_episode_has_one_query(small_dataset):
    with pytest.raises(ValueError, match='1 query'):
        train_set(small_dataset, num_queries=2)


def test_a_missing_image_is_named_when_read(small_dataset):
    (small_dataset / 'images/category_1/0.jpg').unlink()
    dataset = evaluation_set(small_dataset, num_queries=3)
    with pytest.raises(OSError, match=r"images/category_1/0\.jpg.*'category_1'.*img_prefix"):
        dataset[0]


def test_an_unreadable_image_is_named_when_read(small_dataset):
    (small_dataset / 'images/category_1/0.jpg').write_bytes(b'no image')
    dataset = evaluation_set(small_dataset, num_queries=3)
    with pytest.raises(OSError, match=r"images/category_1/0\.jpg.*'category_1'"):
        dataset[0]


def test_an_error_of_a_later_transform_is_not_blamed_on_the_image(small_dataset):
    dataset = evaluation_set(small_dataset, pipeline=[{'type': 'LoadImageFromFile'}, fail])
    with pytest.raises(ZeroDivisionError):
        dataset[0]


def fail(results):
    raise ZeroDivisionError


def test_the_data_sets_are_those_that_configs_name():
    assert BASE.data.train.type == TrainEpisodes.__name__
    assert BASE.data.val.type == BASE.data.test.type == TestEpisodes.__name__


def test_a_config_changes_the_split_in_a_line_a_subset(tmp_path):
    file = tmp_path / 'split2.py'
    file.write_text(
        f"_base_ = ['{CONFIGS}/mp100.py']\ndata = dict(train=dict(valid_class_ids=dict(split=2)))\n"
    )
    train = Config.fromfile(str(file)).data.train
    assert train.valid_class_ids == {'split': 2, 'subset': 'train'}


def test_the_split_files_config_names_a_file_a_subset():
    data = Config.fromfile(str(CONFIGS / 'mp100_split_files.py')).data
    for subset in ('train', 'val', 'test'):
        assert data[subset].ann_file == f'data/mp100/annotations/mp100_split1_{subset}.json'
        assert data[subset].skeleton_base == 'mp100'
        assert data[subset].valid_class_ids == {'split': 1, 'subset': subset}


def test_links_of_categories_with_different_skeletons_stack_behind_rows_of_minus_one(small_dataset):
    assert 'skeleton' not in train_set(small_dataset)[0]
    dataset = train_set(small_dataset, data_cfg={'num_links': 8})
    for batch in batches(dataset):
        assert batch['skeleton'].shape[1:] == (8, 2)
        for skeleton, count in zip(batch['skeleton'].tolist(), batch['num_keypoints'], strict=True):
            chain = [[i, i + 1] for i in range(count - 1)]
            assert skeleton == chain + [[-1, -1]] * (8 - len(chain))


def test_a_category_with_more_links_than_asked_for_is_named(small_dataset):
    with pytest.raises(ValueError, match=r"num_links is 5, and category 'category_4' .* 6 links"):
        train_set(small_dataset, data_cfg={'num_links': 5})
