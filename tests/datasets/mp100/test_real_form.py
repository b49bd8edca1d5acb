"""Files in the form of MP-100's own, with all that made-up files usually lack."""

import json
from pathlib import Path

import numpy as np
import pytest
from fmmp.datasets import load_annotations
from fmmp.datasets.evaluation import TestEpisodes
from fmmp.datasets.mp100.check import check, format_report
from fmmp.datasets.mp100.local_copies import LocalCopy
from fmmp.datasets.mp100.prepare import prepare
from fmmp.datasets.mp100.show import find_instances
from fmmp.datasets.mp100.unify import find_annotation_files, unify
from fmmp.datasets.mp100.unify import format_report as format_unify
from mmcv import Config

from fmmp.apis.data import build_dataset

CONFIGS = Path(__file__).parents[3] / 'configs'


def contents(mp100_files):
    return unify(find_annotation_files(mp100_files))


def test_a_category_is_stored_under_its_folders_name_beside_its_own(mp100_files):
    content, report = contents(mp100_files)
    names = {x['id']: (x['name'], x.get('original_name')) for x in content['categories']}
    assert names == {
        14: ('woodpecker_body', 'Woodpecker'),
        18: ('amur_tiger_body', 'face'),
        32: ('car', None),
        40: ('human_face', 'face'),
        66: ('fly_body', 'fly'),
        80: ('human_hand', 'hand'),
        84: ('bed', None),
    }
    assert "amur_tiger_body (18): 4 instances, 5 keypoints, 0 links\n    named 'face'" in (
        format_unify(report)
    )


def test_links_from_0_and_from_1_are_brought_to_one_base(mp100_files):
    skeletons = {x['id']: x['skeleton'] for x in contents(mp100_files)[0]['categories']}
    assert skeletons[32] == skeletons[66] == skeletons[80] == [[0, 1], [1, 2], [2, 3]]


def test_a_unified_file_is_unified_to_itself(mp100_files, mp100_unified):
    first = json.loads(mp100_unified.read_text())
    again, _ = unify([mp100_unified])
    assert again['categories'] == first['categories']


def test_a_unified_file_and_the_files_it_was_made_of_agree_on_names(mp100_files, mp100_unified):
    val = mp100_files / 'mp100_split1_test.json'
    names = {x['id']: x['name'] for x in unify([mp100_unified, val])[0]['categories']}
    assert names[14] == 'woodpecker_body'


def test_what_is_odd_is_said_once_with_what_becomes_of_it(mp100_files):
    notes = contents(mp100_files)[1]['notes']
    assert notes == [
        '1 annotations without a box, or with one of negative size, which count for nothing',
        '1 boxes partly outside the image, which are clipped to it',
        '1 instances with fewer than 3 labelled keypoints, which count',
    ]


def test_the_check_passes_all_but_what_is_no_instance(mp100_unified):
    report, usable = check(mp100_unified, mp100_unified.parents[1] / 'images', num_queries=3)
    assert len(usable['annotations']) == 23
    assert not report['broken_images']
    rows = {row['id']: row for row in report['categories']}
    assert (rows[40]['name'], rows[40]['source'], rows[40]['usable']) == ('human_face', '300W', 4)
    assert (rows[18]['usable'], rows[80]['source']) == (3, 'OneHand10K')
    assert 'amur_tiger_body' in format_report(report)


def test_a_dry_run_finds_every_image_in_sources_as_they_are_given_out(
    mp100_unified, local, tmp_path
):
    own = json.loads(mp100_unified.read_text())
    for image in own['images']:
        image['file_name'] = f'{image["id"]}.png'
    (tmp_path / 'carfusion.json').write_text(json.dumps(own))
    copies = {
        **local('AFLW', *(f'flickr/0/image{i}.jpg' for i in range(4))),
        **local('300W', *(f'helen/trainset/{i}_1.jpg' for i in range(4))),
        **local('CarFusion', *(f'{320 + i}.png' for i in range(4))),
    }
    copies |= local('Vinegar Fly', *(f'{i}.jpg' for i in range(4)))
    copies |= local(
        'CUB-200', *(f'192.Downy_Woodpecker/Downy_Woodpecker_{i}.jpg' for i in range(4))
    )
    copies |= local('Keypoint-5', *(f'bed/images/{i}.jpg' for i in range(4)))
    copies['CarFusion'] = LocalCopy(copies['CarFusion'].images, (tmp_path / 'carfusion.json',))
    rows = prepare(copies, tmp_path / 'out', mp100_unified, dry_run=True)['categories']
    missing = {row['name']: row['missing'] for row in rows if row['annotated']}
    assert len(missing) == 6
    assert not any(missing.values())


def test_a_split_file_is_read_as_it_is(mp100_files):
    file = mp100_files / 'mp100_split1_train.json'
    categories, instances = load_annotations(
        file, ['amur_tiger_body', 40, 'car'], skeleton_base='mp100', allow_empty_skeleton=True
    )
    assert [(x.name, x.original_name, x.num_keypoints) for x in categories.values()] == [
        ('amur_tiger_body', 'face', 5),
        ('human_face', 'face', 6),
        ('car', 'car', 4),
    ]
    assert categories[32].skeleton == ((0, 1), (1, 2), (2, 3))
    assert [x.image[-5] for x in instances.values() if x.category_id == 18] == ['0', '2', '3']
    [face] = [x for x in instances.values() if x.image == 'human_face/helen/trainset/1_1.jpg']
    assert face.visible.tolist() == [True, True, True, True, False, True]


def test_an_original_name_is_as_good_as_the_shown_one(mp100_unified):
    assert list(load_annotations(mp100_unified, ['Woodpecker', 'fly_body'])[0]) == [14, 66]


@pytest.mark.parametrize('name', ['mp100_split1_train.json', 'unified.json'])
def test_an_ambiguous_name_is_an_error_with_the_ids_and_the_folders(
    mp100_files, mp100_unified, name
):
    file = mp100_files / name
    with pytest.raises(ValueError, match=r"'face' .*18 \(amur_tiger_body\) and 40 \(human_face\)"):
        load_annotations(file, ['face'])
    with pytest.raises(ValueError, match=r'18 \(amur_tiger_body\) and 40 \(human_face\)'):
        find_instances(file, ['face'], 1)
    links = mp100_files / 'links.json'
    links.write_text('{"face": [[0, 1]]}')
    with pytest.raises(ValueError, match=r"links\.json: 'face' is ambiguous"):
        load_annotations(file, [18], skeleton_file=links)


def results_of(dataset):
    return [
        {
            'index': [number],
            'points': [np.zeros((dataset.num_queries, 6, 2))],
        }
        for number in range(len(dataset))
    ]


def test_both_faces_of_the_cross_super_category_setting_have_rows_of_their_own(mp100_unified):
    config = Config.fromfile(str(CONFIGS / 'fmmp/cross_category/fmmp_r50_human_face.py'))
    settings = config.data.test
    settings.update(ann_file=str(mp100_unified), num_queries=2, num_episodes=2)
    dataset = build_dataset(config, 'test')
    report = dataset.report(results_of(dataset))
    assert list(report['per_category']) == ['amur_tiger_body', 'human_face']
    assert list(report['copy_support_per_category']) == ['amur_tiger_body', 'human_face']
    metrics = dataset.evaluate(results_of(dataset))
    assert {'mPCK/amur_tiger_body', 'mPCK/human_face'} < set(metrics)


def test_a_split_file_that_is_used_as_it_is_has_a_row_for_each_category(mp100_files):
    config = Config.fromfile(str(CONFIGS / '_base_/datasets/mp100_split_files.py'))
    settings = config.data.test
    file = mp100_files / 'mp100_split1_train.json'
    settings.update(ann_file=str(file), num_queries=2, num_episodes=2, allow_missing=True)
    settings.valid_class_ids = [18, 40, 32, 80]
    settings.data_cfg.padding = 'zero'
    with pytest.warns(UserWarning, match=r'human_hand \(0\)'):
        dataset = build_dataset(config, 'test')
    assert isinstance(dataset, TestEpisodes)
    per_category = dataset.report(results_of(dataset))['per_category']
    assert list(per_category) == ['amur_tiger_body', 'human_face', 'car']


def test_two_categories_of_ones_own_with_one_name_are_told_apart_by_folder(small_dataset, clean):
    clean['categories'][1]['name'] = 'category_1'
    file = small_dataset / 'unified.json'
    file.write_text(json.dumps(clean))
    names = [x.name for x in load_annotations(file)[0].values()]
    assert names == ['category_1', 'category_2', 'category_3', 'category_4']


def test_names_that_no_folder_tells_apart_are_told_apart_by_id(small_dataset, clean):
    for image in clean['images']:
        image['file_name'] = image['file_name'].replace('/', '_')
    for category in clean['categories'][:2]:
        category['name'] = 'face'
    file = small_dataset / 'unified.json'
    file.write_text(json.dumps(clean))
    names = [x.name for x in load_annotations(file)[0].values()]
    assert names == ['face (1)', 'face (2)', 'category_3', 'category_4']


def test_names_of_another_data_set_stay_whatever_its_folders(small_dataset, clean):
    for image in clean['images']:
        image['file_name'] = f'photos/{image["file_name"]}'
    file = small_dataset / 'unified.json'
    file.write_text(json.dumps(clean))
    names = [x.name for x in load_annotations(file)[0].values()]
    assert names == [f'category_{n}' for n in range(1, 5)]
