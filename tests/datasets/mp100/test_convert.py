import json

import cv2
import numpy as np
import pytest
from fmmp.datasets import load_annotations
from fmmp.datasets.mp100.convert import convert, format_report


@pytest.fixture
def coco(tmp_path):
    """Write a COCO keypoints file of one category with two objects, its links counting from 1."""

    def apply(file='cups.json', name='cup', **category):
        content = {
            'images': [{'id': 7, 'file_name': 'a.jpg', 'width': 40, 'height': 30}],
            'annotations': [
                {
                    'id': number,
                    'image_id': 7,
                    'category_id': 3,
                    'bbox': [1, 1, 20, 20],
                    'keypoints': [2, 2, 2, 9, 9, 2, 15, 9, 1],
                    'num_keypoints': 3,
                }
                for number in (1, 2)
            ],
            'categories': [
                {'id': 3, 'name': name, 'keypoints': ['a', 'b', 'c'], 'skeleton': [[1, 2], [2, 3]]}
                | category
            ],
        }
        (tmp_path / file).write_text(json.dumps(content))
        return tmp_path / file

    return apply


def point(label, x, y, **more):
    return {'label': label, 'points': [[x, y]], 'shape_type': 'point', 'group_id': None, **more}


def rectangle(x1, y1, x2, y2, **more):
    return {'label': 'box', 'points': [[x1, y1], [x2, y2]], 'shape_type': 'rectangle', **more}


@pytest.fixture
def labelme(tmp_path):
    """Write a folder of labelme files, given the shapes of each."""

    def apply(*shapes_of_files, **changes):
        folder = tmp_path / 'spoon'
        folder.mkdir()
        for number, shapes in enumerate(shapes_of_files):
            content = {
                'shapes': shapes,
                'imagePath': f'..\\photos\\{number}.jpg',
                'imageWidth': 40,
                'imageHeight': 30,
                'imageData': None,
            }
            (folder / f'{number}.json').write_text(json.dumps(content | changes))
        return folder

    return apply


def saved(content, folder):
    file = folder / 'converted.json'
    file.write_text(json.dumps(content))
    return file


def test_a_coco_category_becomes_one_after_mp100s(coco, tmp_path):
    content, folders, report = convert([coco()])
    categories, instances = load_annotations(saved(content, tmp_path))
    assert list(categories) == [101]
    assert categories[101].name == 'cup' and categories[101].skeleton == ((0, 1), (1, 2))
    assert [x.image for x in instances.values()] == ['cup/a.jpg', 'cup/a.jpg']
    assert folders == {'cup': tmp_path}
    assert 'cup (101): 2 instances, 3 keypoints, 2 links (1-based' in format_report(report)


def test_links_that_fit_both_bases_count_as_cocos_do(coco):
    content, _, report = convert([coco(skeleton=[[1, 2]])])
    assert content['categories'][0]['skeleton'] == [[0, 1]]
    assert "COCO's convention" in format_report(report)


def test_new_categories_join_a_unified_file(coco, small_dataset):
    unified = small_dataset / 'unified.json'
    content, _, _ = convert([coco()], add_to=unified)
    before, after = load_annotations(unified), load_annotations(saved(content, small_dataset))
    assert list(after[0]) == [1, 2, 3, 4, 101]
    assert [x.image for x in after[1].values()][:16] == [x.image for x in before[1].values()]
    assert len(after[1]) == 18


def test_one_file_a_category_takes_the_files_names_where_theirs_clash(coco):
    content, _, report = convert(
        [coco('cups.json', 'object'), coco('forks.json', 'object'), coco('knives.json', 'knife')]
    )
    names = {category['id']: category['name'] for category in content['categories']}
    assert names == {101: 'cups', 102: 'forks', 103: 'knife'}
    assert "named by its file, since several files call theirs 'object'" in format_report(report)


def test_a_labelme_folder_becomes_a_category_named_as_it(labelme, tmp_path):
    folder = labelme(
        [point('tip', 30, 10), point('end', 5, 20), rectangle(35, 25, 1, 5)],
        [point('end', 6, 21), point('middle', 15, 15)],
    )
    content, folders, report = convert([folder], infer=True)
    categories, instances = load_annotations(saved(content, tmp_path))
    assert folders == {'spoon': folder}
    assert content['categories'][0]['keypoints'] == ['tip', 'end', 'middle']
    assert content['annotations'][0]['bbox'] == [1, 5, 34, 20]
    assert [x.visible.tolist() for x in instances.values()] == [
        [True, True, False],
        [False, True, True],
    ]
    assert instances[0].keypoints[0].tolist() == [30, 10]
    assert [x.image for x in instances.values()] == ['spoon/0.jpg', 'spoon/1.jpg']
    assert len(categories[101].skeleton) >= 1
    text = format_report(report)
    assert 'order of their appearance: tip, end, middle' in text
    assert '1 objects have no rectangle or polygon' in text


def test_labelme_folders_of_the_same_labels_have_the_same_keypoints(labelme, tmp_path):
    labelme([point('tip', 1, 2), point('end', 3, 4)]).rename(tmp_path / 'train')
    labelme([point('end', 5, 6), point('tip', 7, 8)]).rename(tmp_path / 'test')
    content, _, _ = convert([tmp_path / 'train', tmp_path / 'test'])
    assert [x['keypoints'] for x in content['categories']] == [['tip', 'end']] * 2
    assert content['annotations'][1]['keypoints'] == [7, 8, 2, 5, 6, 2]


def test_labelmes_groups_are_objects_of_one_image(labelme):
    shapes = [
        point('tip', 3, 3, group_id=1),
        point('end', 9, 9, group_id=1),
        point('tip', 20, 9, group_id=2),
        rectangle(18, 8, 30, 20, group_id=2),
        rectangle(0, 0, 5, 5, group_id=3),
    ]
    content, _, _ = convert([labelme(shapes)])
    assert len(content['images']) == 1
    assert [x['num_keypoints'] for x in content['annotations']] == [2, 1]
    assert content['annotations'][1]['bbox'] == [18, 8, 12, 12]


def test_the_size_of_a_labelme_image_is_read_where_the_file_does_not_say(labelme):
    folder = labelme([point('tip', 3, 3)], imageWidth=None, imageHeight=None)
    with pytest.raises(ValueError, match=r'0\.json.*imageWidth.*0\.jpg.*cannot be read'):
        convert([folder])
    cv2.imwrite(str(folder / '0.jpg'), np.zeros((20, 24, 3), np.uint8))
    [image] = convert([folder])[0]['images']
    assert (image['width'], image['height']) == (24, 20)


@pytest.mark.parametrize(
    ('shapes', 'changes', 'message'),
    [
        ([point('tip', 1, 1), point('tip', 2, 2)], {}, r"0\.json: one object has two points 'tip'"),
        ([{'points': [[1, 1]]}], {}, r'0\.json: a shape has no label'),
        ([point('tip', 1, 1) | {'points': []}], {}, r'0\.json: a shape has no label and points'),
        ([point(3, 1, 1)], {}, r'0\.json: a shape has no label and points'),
        ([point('tip', 1, 1) | {'group_id': [1]}], {}, r'0\.json: a shape has no label'),
        ([rectangle(1, 1, 2, 2)], {}, 'spoon: no file has a point'),
        ([], {'shapes': None}, r'0\.json: not of labelme'),
    ],
)
def test_a_labelme_file_that_cannot_be_used_is_named(labelme, shapes, changes, message):
    with pytest.raises(ValueError, match=message):
        convert([labelme(shapes, **changes)])


def test_two_categories_of_one_file_and_one_name_are_told_apart_by_folder(small_dataset):
    def change(content):
        for category in content['categories'][:2]:
            category['name'] = 'object'

    content, _, _ = convert([edited(small_dataset / 'unified.json', change)])
    names = [category['name'] for category in content['categories']]
    assert names == ['category_1', 'category_2', 'category_3', 'category_4']


def edited(file, change):
    content = json.loads(file.read_text())
    change(content)
    file.write_text(json.dumps(content))
    return file


def test_a_coco_file_that_cannot_be_used_is_named(coco, small_dataset, tmp_path):
    unified = small_dataset / 'unified.json'
    with pytest.raises(ValueError, match=r"cups\.json: .*has a category 'category_1'"):
        convert([coco(name='category_1')], add_to=unified)
    for name in ('..', 'a/b', ''):
        with pytest.raises(ValueError, match=r'cups\.json: the name .* cannot be that of a folder'):
            convert([coco(name=name)])
    climbs = edited(coco(), lambda content: content['images'][0].update(file_name='../a.jpg'))
    with pytest.raises(ValueError, match='stay inside'):
        convert([climbs])
    bare = edited(coco(), lambda content: [x.pop('keypoints') for x in content['annotations']])
    with pytest.raises(ValueError, match='no annotation has keypoints'):
        convert([bare])
    with pytest.raises(ValueError, match=r"cups\.json: category 'cup': the skeleton is no list"):
        convert([coco(skeleton=3)])
    (tmp_path / 'empty').mkdir()
    for missing in ('nowhere.json', 'empty'):
        with pytest.raises(FileNotFoundError, match=missing.split('.')[0]):
            convert([tmp_path / missing])


def test_images_that_are_not_where_they_are_looked_for_are_noted(coco, tmp_path):
    file, images = coco(), tmp_path / 'elsewhere'
    images.mkdir()
    (row,) = convert([file], images_from=images)[2]['categories']
    assert any('a.jpg' in note and '--images-from' in note for note in row['notes'])
    (images / 'a.jpg').touch()
    (row,) = convert([file], images_from=images)[2]['categories']
    assert not any('--images-from' in note for note in row['notes'])
