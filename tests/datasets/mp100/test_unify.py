import json

import pytest
from fmmp.datasets.mp100.unify import find_annotation_files, format_report, unify

from fmmp.errors import InputError

SECTIONS = ('images', 'annotations', 'categories')


def unified(folder, **options):
    return unify(find_annotation_files(folder), **options)


def assert_equal(content, clean):
    for section in SECTIONS:
        assert content[section] == clean[section]


def row_of(report, id_):
    return next(row for row in report['categories'] if row['id'] == id_)


def skeleton_of(content, id_):
    return next(x['skeleton'] for x in content['categories'] if x['id'] == id_)


def test_three_split_files_give_back_the_one_they_were_cut_from(split_files, clean):
    content, report = unified(split_files)
    assert_equal(content, clean)
    assert [row['files'] for row in report['categories']] == [
        ['mp100_split1_train.json'],
        ['mp100_split1_train.json'],
        ['mp100_split1_val.json'],
        ['mp100_split1_test.json'],
    ]
    assert report['notes'] == []


def test_the_report_says_that_one_splits_files_are_for_that_split(split_files, small_dataset):
    assert "these are split 1's files" in format_report(unified(split_files)[1])
    assert 'these are' not in format_report(unify([small_dataset / 'unified.json'])[1])


def test_a_unified_file_stays_as_it_is(small_dataset, clean):
    content, report = unify([small_dataset / 'unified.json'])
    assert_equal(content, clean)
    assert row_of(report, 2)['base'] == {'first': 0, 'told_by': 'its indices'}


def test_the_same_input_gives_the_same_bytes(split_files):
    assert json.dumps(unified(split_files)) == json.dumps(unified(split_files))


def test_an_image_keeps_its_place_among_its_files_images(plant, split_files, clean):
    plant('train', lambda content: content['images'].reverse())
    content, _ = unified(split_files)
    names = [x['file_name'] for x in content['images'] if 'category_1' in x['file_name']]
    assert names == [f'category_1/{i}.jpg' for i in (3, 2, 1, 0)]


def repeat_ids(content):
    """Number images and annotations from 1, as if the file were alone."""
    new = {image['id']: number for number, image in enumerate(content['images'], 1)}
    for image in content['images']:
        image['id'] = new[image['id']]
    for number, annotation in enumerate(content['annotations'], 1):
        annotation.update(id=number, image_id=new[annotation['image_id']])


def add_links(*links):
    return lambda content: content['categories'][0]['skeleton'].extend(links)


def count_from_zero(content):
    for category in content['categories']:
        category['skeleton'] = [[i - 1, j - 1] for i, j in category['skeleton']]


@pytest.mark.parametrize(
    ('change', 'said'),
    [
        (repeat_ids, '4 image ids were of several images'),
        (count_from_zero, '0-based, told by its indices'),
        (
            add_links([1, 9]),
            'the link [1, 9]: it leads to a keypoint that does not exist (4 from 1',
        ),
        (add_links([0, 4]), 'the link [0, 4]: it leads to a keypoint that does not exist'),
        (add_links([2, 2]), 'the link [2, 2]: it links a keypoint to itself'),
        (add_links([2, 1]), 'the link [2, 1]: it is there before'),
        (add_links([1, 2, 3]), 'the link [1, 2, 3]: it is no pair'),
        (
            lambda content: content['annotations'].append(
                {'id': 99, 'image_id': 99, 'category_id': 1}
            ),
            '1 annotations dropped, whose image is not in the file',
        ),
        (
            lambda content: content['annotations'].append(
                {'id': 99, 'image_id': 1, 'category_id': 99}
            ),
            '1 annotations dropped, whose category is not in the file',
        ),
        (lambda content: content['annotations'][0].pop('id'), '1 annotation ids were'),
    ],
)
def test_a_defect_with_one_right_repair_is_repaired_and_named(
    plant, split_files, clean, change, said
):
    for subset in ('train', 'val', 'test') if change is repeat_ids else ('train',):
        plant(subset, change)
    content, report = unified(split_files)
    assert_equal(content, clean)
    assert said in format_report(report)


def test_what_several_files_share_is_taken_once(plant, split_files, clean):
    train = json.loads((split_files / 'mp100_split1_train.json').read_text())

    def share(content):
        content['images'] += [{**x, 'id': x['id'] + 500} for x in train['images'][:4]]
        content['annotations'] += [
            {**x, 'id': x['id'] + 500, 'image_id': x['image_id'] + 500}
            for x in train['annotations'][:4]
        ]
        content['categories'] += train['categories'][:1]

    plant('val', share)
    content, report = unified(split_files)
    assert_equal(content, clean)
    assert '4 annotations that several files share are taken once' in report['notes']


def test_an_object_that_one_file_lists_twice_stays_two(plant, split_files):
    plant(
        'test',
        lambda content: content['annotations'].append({**content['annotations'][0], 'id': 99}),
    )
    content, _ = unified(split_files)
    assert len(content['annotations']) == 17


def without_ends(content):
    """Leave links that name neither the first nor the last keypoint: both bases fit."""
    for category in content['categories']:
        category['skeleton'] = category['skeleton'][1:-1]


def test_the_known_list_decides_where_the_indices_fit_both(plant, split_files, clean):
    plant('train', without_ends)
    content, report = unified(split_files)
    assert skeleton_of(content, 2) == clean['categories'][1]['skeleton'][1:-1]
    assert row_of(report, 2)['base'] == {'first': 1, 'told_by': "MP-100's known list"}


def test_a_category_of_the_known_list_is_0_based_where_the_indices_fit_both(plant, split_files):
    def change(content):
        content['categories'][0].update(id=32, skeleton=[[1, 2]])
        content['annotations'][0]['category_id'] = 32

    plant('test', change)
    content, report = unified(split_files)
    assert skeleton_of(content, 32) == [[1, 2]]
    assert row_of(report, 32)['base']['told_by'] == "MP-100's known list"


def test_files_that_count_from_0_throughout_decide_where_the_indices_fit_both(plant, split_files):
    for subset in ('train', 'val', 'test'):
        plant(subset, count_from_zero)
    plant('test', without_ends)
    content, report = unified(split_files)
    assert skeleton_of(content, 4) == [[1, 2], [2, 3], [3, 4], [4, 5]]
    assert row_of(report, 4)['base'] == {'first': 0, 'told_by': 'the other categories'}


def empty(content):
    content['categories'][0]['skeleton'] = []


def test_an_empty_skeleton_stays_empty_and_is_named(plant, split_files):
    plant('train', empty)
    content, report = unified(split_files)
    assert skeleton_of(content, 1) == []
    assert 'without a link: give --links FILE or --infer-links' in format_report(report)


def test_an_empty_skeleton_is_filled_from_given_links(plant, split_files, clean):
    plant('train', empty)
    links = clean['categories'][0]['skeleton']
    content, report = unified(split_files, links={'category_1': [*links, [0, 4]], '2': [[0, 3]]})
    assert_equal(content, clean)
    assert row_of(report, 1)['links_from'] == '--links'
    assert [drop['link'] for drop in row_of(report, 1)['dropped']] == [[0, 4]]
    assert row_of(report, 2)['links_from'] == 'file'
    assert '--links is not used: the file has links' in format_report(report)
    with pytest.raises(InputError, match="links are given for 'categori_1', which is no category"):
        unified(split_files, links={'categori_1': links})


def test_an_empty_skeleton_is_inferred_where_asked_for(plant, split_files):
    plant('train', empty)
    content, report = unified(split_files, infer=True)
    assert len(skeleton_of(content, 1)) == 3
    assert row_of(report, 1)['links_from'] == '--infer-links'


def test_a_split_whose_three_files_are_there_is_chosen(split_files):
    (split_files / 'other.json').write_text('{}')
    (split_files / 'mp100_split2_val.json').write_text('{}')
    names = [path.name for path in find_annotation_files(split_files)]
    assert names == [f'mp100_split1_{subset}.json' for subset in ('test', 'train', 'val')]


def test_the_result_of_an_earlier_time_is_no_input(small_dataset):
    (small_dataset / 'other.json').write_text('{}')
    files = find_annotation_files(small_dataset, but=small_dataset / 'unified.json')
    assert files == [small_dataset / 'other.json']
    with pytest.raises(FileNotFoundError, match='no annotation file'):
        find_annotation_files(small_dataset / 'images')


def share_first_image(content, **changes):
    content['images'].append(
        {'id': 1, 'file_name': 'category_1/0.jpg', 'width': 80, 'height': 64, **changes}
    )


def share_first_category(content, **changes):
    entry = {'id': 1, 'name': 'category_1', 'skeleton': [[1, 2], [2, 3], [3, 4]], **changes}
    content['categories'].append(entry)


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (
            lambda c: share_first_image(c, width=81),
            r'category_1/0\.jpg is 8[01] x 64 .* 8[01] x',
        ),
        (lambda c: c['images'][1].update(id=c['images'][0]['id']), 'no telling whose'),
        (lambda c: c['images'][0].update(file_name='../x.jpg'), r'image 9 .*stay inside'),
        (lambda c: c['images'][0].update(file_name='/x.jpg'), r'image 9 .*stay inside'),
        (lambda c: share_first_category(c, name='nose'), "there it is named 'nose'"),
        (lambda c: share_first_category(c, skeleton=[[1, 3]]), 'the skeletons differ'),
        (lambda c: share_first_category(c, keypoints=['nose']), 'different names'),
        (lambda c: share_first_category(c, id=77), "'category_1' has the ids 1 and 77"),
        (lambda c: c['categories'][0].update(skeleton='chain'), 'skeleton is no list'),
    ],
)
def test_files_that_contradict_one_another_are_an_error(plant, split_files, change, message):
    plant('val', change)
    with pytest.raises(ValueError, match=message):
        unified(split_files)


def test_a_shared_category_takes_the_longer_list_of_names_and_the_links_there_are(
    plant, split_files, clean
):
    plant('train', lambda c: c['categories'][0].update(skeleton=[], keypoints=['k0']))
    plant('val', lambda c: share_first_category(c, keypoints=['k0', 'k1', 'k2', 'k3']))
    assert_equal(unified(split_files)[0], clean)


def test_image_ids_that_are_text_in_one_file_are_numbered_anew(plant, split_files, clean):
    def change(content):
        for entry, key in [*((x, 'id') for x in content['images'])] + [
            (x, 'image_id') for x in content['annotations']
        ]:
            entry[key] = str(entry[key])

    plant('val', change)
    content, report = unified(split_files)
    assert_equal(content, clean)
    assert report['notes'] == [
        'image ids were numbers here and text there: all are numbered anew from 1'
    ]


@pytest.mark.parametrize('text', ['{"images": [', '[]', '\xff\xfe'])
def test_a_corrupt_file_is_named(split_files, text):
    (split_files / 'mp100_split1_val.json').write_text(text)
    with pytest.raises(ValueError, match=r'mp100_split1_val\.json'):
        unified(split_files)
