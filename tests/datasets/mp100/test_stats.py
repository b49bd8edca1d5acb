import csv
import io
import json

import cv2
import numpy as np
import pytest
from fmmp.datasets.mp100.stats import draw_figure, format_report, stats, to_csv


def test_every_category_is_counted(small_dataset):
    report = stats(small_dataset / 'unified.json')
    assert report['categories'][1] == {
        'id': 2,
        'name': 'category_2',
        'original_name': 'category_2',
        'supercategory': 'shape',
        'source': '',
        'instances': 4,
        'images': 4,
        'keypoints': 5,
        'labelled': 1.0,
        'links': 4,
        **{f'split{n}': '' for n in range(1, 6)},
    }
    assert report['total'] == {
        'categories': 4,
        'instances': 16,
        'images': 16,
        'supercategories': 1,
        'without_links': 0,
    }
    assert '4 categories in 1 super-categories, 16 instances' in format_report(report)


def test_links_and_labelled_keypoints_are_counted(small_dataset, clean):
    clean['categories'][0]['skeleton'] = []
    clean['annotations'][0]['keypoints'][2] = 0
    (small_dataset / 'unified.json').write_text(json.dumps(clean))
    row = stats(small_dataset / 'unified.json')['categories'][0]
    assert (row['links'], row['labelled']) == (0, 0.9375)


def test_each_category_of_mp100_has_a_source_and_a_subset_in_five_splits(mp100_unified):
    rows = {row['id']: row for row in stats(mp100_unified)['categories']}
    sources = {18: 'AFLW', 40: '300W', 80: 'OneHand10K', 32: 'CarFusion', 66: 'Vinegar Fly'}
    sources |= {14: 'CUB-200', 84: 'Keypoint-5'}
    assert {id_: row['source'] for id_, row in rows.items()} == sources
    assert [rows[18][f'split{n}'] for n in range(1, 6)] == [
        'train',
        'train',
        'train',
        'val',
        'test',
    ]
    assert (rows[18]['name'], rows[18]['original_name']) == ('amur_tiger_body', 'face')
    assert rows[80]['instances'] == 0 and rows[80]['split4'] == 'test'


def test_the_csv_has_a_line_a_category(small_dataset):
    lines = list(csv.DictReader(io.StringIO(to_csv(stats(small_dataset / 'unified.json')))))
    assert [line['name'] for line in lines] == [f'category_{n}' for n in range(1, 5)]
    assert lines[3]['keypoints'] == '7'


def test_the_figure_is_a_picture(small_dataset):
    png = draw_figure(stats(small_dataset / 'unified.json'))
    picture = cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_COLOR)
    assert picture.shape[1] == 1200 and picture.std() > 0


def test_a_file_that_is_not_sound_is_named(small_dataset, clean):
    clean['categories'][0]['skeleton'] = [[0, 9]]
    (small_dataset / 'unified.json').write_text(json.dumps(clean))
    with pytest.raises(ValueError, match=r"unified\.json, category 'category_1'"):
        stats(small_dataset / 'unified.json')
