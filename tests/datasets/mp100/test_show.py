import json

import numpy as np
import pytest
from fmmp.datasets.mp100.show import draw_instance, draw_sheet, find_instances, sheet_name


def found(root, *targets, count=2):
    return find_instances(root / 'unified.json', targets, count)


def test_a_category_is_found_by_name_or_id_and_an_image_by_its_path(small_dataset):
    categories, instances = found(small_dataset, 'category_2', '3', 'category_1/1.jpg')
    assert sorted(categories) == [1, 2, 3]
    images = {target: [x.image for x in chosen] for target, chosen in instances.items()}
    assert images == {
        'category_2': ['category_2/0.jpg', 'category_2/3.jpg'],
        '3': ['category_3/0.jpg', 'category_3/3.jpg'],
        'category_1/1.jpg': ['category_1/1.jpg'],
    }


def test_no_more_instances_are_shown_than_there_are(small_dataset):
    assert len(found(small_dataset, 'category_2', count=9)[1]['category_2']) == 4


def test_what_is_not_in_the_file_is_named_with_what_is_near(small_dataset):
    with pytest.raises(ValueError, match=r"'categry_2'.*did you mean category_"):
        found(small_dataset, 'categry_2')


def test_an_image_without_an_instance_is_named(small_dataset, clean):
    clean['annotations'] = clean['annotations'][1:]
    (small_dataset / 'unified.json').write_text(json.dumps(clean))
    with pytest.raises(ValueError, match=r"'category_1/0\.jpg' has no instance"):
        found(small_dataset, 'category_1/0.jpg', 'category_2')


def test_the_panels_are_the_image_the_crop_and_two_paddings_all_different(small_dataset):
    categories, instances = found(small_dataset, 'category_1')
    panels = draw_instance(instances['category_1'][0], categories[1], small_dataset / 'images')
    assert len(panels) == 4
    for first, second in ((1, 2), (1, 3), (2, 3)):
        assert panels[first].shape == panels[second].shape
        assert (panels[first] != panels[second]).any()


def test_a_sheet_has_a_row_an_instance(small_dataset):
    categories, instances = found(small_dataset, 'category_1', count=3)
    one = draw_sheet(instances['category_1'][:1], categories, small_dataset / 'images')
    three = draw_sheet(instances['category_1'], categories, small_dataset / 'images')
    assert one.dtype == np.uint8 and one.shape[1] == three.shape[1]
    assert three.shape[0] > 2.5 * one.shape[0]


def test_a_category_without_links_is_shown_without_padding(small_dataset, clean):
    clean['categories'][0]['skeleton'] = []
    (small_dataset / 'unified.json').write_text(json.dumps(clean))
    categories, instances = found(small_dataset, 'category_1')
    sheet = draw_sheet(instances['category_1'], categories, small_dataset / 'images')
    assert sheet.size


def test_a_missing_image_is_named(small_dataset):
    categories, instances = found(small_dataset, 'category_1')
    (small_dataset / 'images/category_1/0.jpg').unlink()
    with pytest.raises(OSError, match=r'category_1/0\.jpg is missing'):
        draw_sheet(instances['category_1'], categories, small_dataset / 'images')


def test_a_sheets_name_is_a_file_name():
    assert sheet_name('car/1.jpg') == 'car_1.jpg.png'
