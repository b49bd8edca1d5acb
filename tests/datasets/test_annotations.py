import json
import pickle

import pytest
from fmmp.datasets import load_annotations
from fmmp.datasets.annotations import clean_box, count_instances

from fmmp.errors import InputError


@pytest.fixture
def edit(small_dataset):
    """Change the small data set's annotation file and return its path."""

    def apply(change):
        file = small_dataset / 'unified.json'
        content = json.loads(file.read_text())
        change(content)
        file.write_text(json.dumps(content))
        return file

    return apply


def test_categories_come_by_id_or_name_in_the_order_asked_for(small_dataset):
    categories, _ = load_annotations(small_dataset / 'unified.json', ['category_3', 1])
    assert [(c.id, c.name) for c in categories.values()] == [(3, 'category_3'), (1, 'category_1')]


def test_every_annotated_category_is_taken_where_none_is_named(edit):
    file = edit(lambda content: content['categories'].append({'id': 9, 'name': 'unused'}))
    assert list(load_annotations(file)[0]) == [1, 2, 3, 4]


def test_instances_are_numbered_over_the_whole_file(small_dataset):
    _, instances = load_annotations(small_dataset / 'unified.json', [2])
    assert list(instances) == [4, 5, 6, 7]


def test_instances_follow_the_images_and_not_the_annotations(edit):
    file = edit(lambda content: content['annotations'].reverse())
    _, instances = load_annotations(file, [1])
    assert [x.image for x in instances.values()] == [f'category_1/{i}.jpg' for i in range(4)]


def test_keypoints_are_counted_in_the_annotations_where_names_are_missing(edit):
    file = edit(lambda content: content['categories'][0].pop('keypoints'))
    assert load_annotations(file, [1])[0][1].num_keypoints == 4


@pytest.mark.parametrize(
    'change',
    [
        {'iscrowd': 1},
        {'num_keypoints': 0},
        {'area': 0},
        {'keypoints': [0] * 12},
        {'bbox': [100, 3, 20, 20]},
    ],
)
def test_an_annotation_with_nothing_to_learn_from_gives_no_instance(edit, change):
    file = edit(lambda content: content['annotations'][1].update(change))
    _, instances = load_annotations(file, [1])
    assert [x.image for x in instances.values()] == [f'category_1/{i}.jpg' for i in (0, 2, 3)]
    assert list(instances) == [0, 1, 2]


@pytest.mark.parametrize('key', ['bbox', 'keypoints'])
def test_an_annotation_without_box_or_keypoints_gives_no_instance(edit, key):
    file = edit(lambda content: content['annotations'][1].pop(key))
    assert len(load_annotations(file, [1])[1]) == 3


def test_boxes_are_clipped_as_recorded(golden):
    recorded = golden('crop_and_metrics.json')
    for case in recorded['cases']:
        box = clean_box(case['bbox'], case['width'], case['height'])
        assert box == pytest.approx(case['expected']['clean_bbox'], abs=1e-9)
    for case in recorded['dropped']:
        assert clean_box(case['bbox'], case['width'], case['height']) is None


def count_from_one(content):
    for category in content['categories']:
        category['skeleton'] = [[i + 1, j + 1] for i, j in category['skeleton']]


def test_skeletons_that_count_from_one_are_read_with_their_base(small_dataset, edit):
    expected = load_annotations(small_dataset / 'unified.json')[0]
    assert load_annotations(edit(count_from_one), skeleton_base=1)[0] == expected


def test_the_split_files_convention_is_one_based_but_for_five_categories(edit):
    def change(content):
        count_from_one(content)
        content['categories'][1].update(id=32, skeleton=[[0, 1]])
        for annotation in content['annotations'][4:8]:
            annotation['category_id'] = 32

    categories, _ = load_annotations(edit(change), skeleton_base='mp100')
    assert categories[1].skeleton == ((0, 1), (1, 2), (2, 3))
    assert categories[32].skeleton == ((0, 1),)


def test_a_skeleton_file_takes_the_place_of_the_files_own(edit, tmp_path):
    file = edit(lambda content: content['categories'][0].update(skeleton=[]))
    skeletons = tmp_path / 'skeletons.json'
    skeletons.write_text(json.dumps({'category_1': [[0, 3]], '2': [[1, 2]], 'elsewhere': [[0, 9]]}))
    with pytest.warns(UserWarning, match='skeletons.json: no category .* is named elsewhere:'):
        categories, _ = load_annotations(file, [1, 2, 3], skeleton_base=0, skeleton_file=skeletons)
    assert [c.skeleton for c in categories.values()] == [
        ((0, 3),),
        ((1, 2),),
        ((0, 1), (1, 2), (2, 3), (3, 4), (4, 5)),
    ]


def test_a_category_not_selected_may_be_unusable(edit):
    def change(content):
        content['categories'][1]['skeleton'] = [[0, 99]]
        content['annotations'][4]['keypoints'] = [1, 1, 2]

    assert list(load_annotations(edit(change), [1])[0]) == [1]


def test_categories_and_instances_survive_pickling(small_dataset):
    categories, instances = load_annotations(small_dataset / 'unified.json')
    copies = pickle.loads(pickle.dumps((categories, instances)))
    assert copies[0] == categories
    assert copies[1][0].keypoints.tolist() == instances[0].keypoints.tolist()


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r'absent\.json.*check the path'):
        load_annotations(tmp_path / 'absent.json')


@pytest.mark.parametrize(
    ('text', 'message'),
    [
        ('{', r'unified\.json.*not JSON'),
        ('[]', r"unified\.json.*not COCO-style.*'images'"),
        ('{"images": [], "annotations": []}', "no list 'categories'"),
        ('{"images": [{"id": 1}], "annotations": [], "categories": []}', r'images\[0\].*file_name'),
        (
            '{"images": [], "annotations": [], "categories": [{"id": [1], "name": "a"}]}',
            r'categories\[0\] has the id \[1\]',
        ),
        ('{"images": [], "annotations": [], "categories": []}', 'no category has an annotation'),
        ('{"images": [3], "annotations": [], "categories": []}', r'images\[0\] is 3'),
    ],
)
def test_a_file_that_is_not_coco_style_says_what_it_lacks(small_dataset, text, message):
    file = small_dataset / 'unified.json'
    file.write_text(text)
    with pytest.raises(ValueError, match=message):
        load_annotations(file)


@pytest.mark.parametrize(
    ('categories', 'message'),
    [
        (['categry_1'], "unknown category 'categry_1'.*did you mean 'category_1'"),
        ([77], r'unknown category 77.*4 categories: 1 \(category_1\)'),
        ([1, 'category_1'], 'twice'),
    ],
)
def test_a_wrong_selection_names_the_file_and_the_way_out(small_dataset, categories, message):
    with pytest.raises(ValueError, match=r'unified\.json.*' + message):
        load_annotations(small_dataset / 'unified.json', categories)


def change_category(**values):
    return lambda content: content['categories'][0].update(values)


def change_annotation(**values):
    return lambda content: content['annotations'][0].update(values)


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (change_category(skeleton=[]), "'category_1'.*skeleton is empty.*padding='zero'"),
        (change_category(skeleton=[[0, 4]]), r"'category_1'.*does not exist: \[0, 4\].*0 to 3"),
        (change_category(skeleton=[[1, 4]]), 'skeleton_base=1'),
        (change_category(skeleton=[[-1, 0]]), 'does not exist'),
        (change_category(skeleton=[[0, 1, 2]]), r"'category_1'.*\[0, 1, 2\] where a link"),
        (change_annotation(keypoints=[1, 1, 2]), r"'category_1'.*differ.*1 \(in .*0\.jpg\)"),
        (change_annotation(keypoints=[1, 1]), r'annotation 1 .*0\.jpg.*not COCO-style'),
        (change_annotation(bbox=[1, 1]), r'annotation 1 .*0\.jpg.*not COCO-style'),
        (change_annotation(keypoints=[float('nan'), 1, 2]), 'not finite'),
    ],
)
def test_what_cannot_be_used_is_named_with_its_file_and_category(edit, change, message):
    with pytest.raises(ValueError, match=r'unified\.json.*' + message):
        load_annotations(edit(change))


def change_image(**values):
    return lambda content: content['images'][0].update(values)


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (change_image(id='1'), r"images\[0\] has the id '1', text, but images\[1\] .* 2, a number"),
        (change_annotation(image_id='1'), r"images\[0\] .* annotations\[0\] has the image_id '1'"),
        (change_image(id=None), r'images\[0\] has the id None: give a number or text'),
        (change_image(file_name=7), r'images\[0\] has the file_name 7: give text'),
        (change_image(width='80'), r"images\[0\] has the width '80': give a number"),
        (change_image(height=True), r'images\[0\] has the height True: give a number'),
        (change_annotation(id=[1]), r'annotations\[0\] has the id \[1\]: give a number or text'),
        (change_annotation(category_id='1'), r"annotations\[0\] has the category_id '1'"),
        (change_annotation(area='9'), r'annotation 1 .*category_1/0\.jpg.*area is no number'),
        (change_annotation(bbox=[1, 1, '9', 9]), r'annotation 1 .*box is not x, y, width, height'),
        (change_annotation(bbox='1199'), r'annotation 1 .*box is not x, y, width, height'),
        (change_annotation(keypoints=['1', 1, 2] * 4), 'annotation 1 .*keypoints are no numbers'),
        (change_annotation(keypoints={'nose': 1}), 'annotation 1 .*keypoints are not x, y, v'),
        (change_annotation(num_keypoints='4'), 'annotation 1 .*num_keypoints is no number'),
        (change_category(id='1'), r"categories\[0\] has the id '1': give a number"),
        (change_category(id=2), "category id 2 is that of 'category_1' and of 'category_2'"),
        (change_category(name=1), r'categories\[0\] has the name 1: give text'),
        (change_category(supercategory=['a']), r"the supercategory \['a'\]: give text"),
        (change_category(keypoints=4), r'categories\[0\] has the keypoints 4: give a list'),
        (change_category(skeleton=4), "'category_1' .*the skeleton is 4: give a list"),
    ],
)
def test_a_field_of_another_type_is_named_in_one_line(edit, change, message):
    with pytest.raises(InputError, match=r'unified\.json.*' + message) as error:
        load_annotations(edit(change))
    assert '\n' not in str(error.value)


def test_what_is_null_or_left_out_is_as_good_as_nothing(edit):
    def change(content):
        content['categories'][0].update(supercategory=None, keypoints=None)
        content['annotations'][0].update(area=None, keypoints=None, iscrowd=None)

    assert len(load_annotations(edit(change), [1])[1]) == 3


def test_a_visibility_that_is_none_of_0_1_and_2_is_said_with_what_becomes_of_it(edit):
    file = edit(change_annotation(keypoints=[1, 1, 3, 2, 2, -1, 3, 3, 2.0, 4, 4, 1]))
    with pytest.warns(UserWarning, match=r'unified\.json: 1 annotations.* above 0 .* labelled'):
        instances = load_annotations(file, [1])[1]
    assert instances[0].visible.tolist() == [True, False, True, True]


def test_a_category_without_a_usable_annotation_is_named(edit):
    def change(content):
        for annotation in content['annotations'][:4]:
            annotation['num_keypoints'] = 0

    with pytest.raises(ValueError, match=r"'category_1'.*no usable annotation"):
        load_annotations(edit(change), [1])


def test_an_empty_skeleton_is_accepted_for_zero_padding(edit):
    file = edit(change_category(skeleton=[]))
    assert load_annotations(file, [1], allow_empty_skeleton=True)[0][1].skeleton == ()


def test_more_keypoints_than_the_model_has_is_an_error(small_dataset):
    with pytest.raises(ValueError, match=r"'category_3'.*6 keypoints are more than the 5"):
        load_annotations(small_dataset / 'unified.json', max_keypoints=5)


def test_a_skeleton_file_with_a_wrong_link_is_named(small_dataset, tmp_path):
    skeletons = tmp_path / 'skeletons.json'
    skeletons.write_text('{"category_1": [[0, 8]]}')
    with pytest.raises(ValueError, match=r"skeletons\.json.*'category_1'.*does not exist"):
        load_annotations(small_dataset / 'unified.json', [1], skeleton_file=skeletons)


@pytest.mark.parametrize(
    'path', ['/etc/passwd', '../x.jpg', 'a/../../x.jpg', 'C:\\x.jpg', '..\\x.jpg']
)
def test_an_image_path_that_leaves_the_image_folder_is_refused(edit, path):
    file = edit(lambda content: content['images'][5].update(file_name=path))
    with pytest.raises(ValueError, match=r'unified\.json: image 6 .*stay inside'):
        load_annotations(file)


def test_instances_are_counted_by_category(edit):
    file = edit(lambda content: content['annotations'][0].update(area=0))
    assert count_instances(file, ['category_2', 1]) == {2: ('category_2', 4), 1: ('category_1', 3)}
