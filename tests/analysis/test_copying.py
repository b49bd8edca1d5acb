"""The floor of MP-100, from annotation files alone."""

import json
import subprocess
import sys

import numpy as np
import pytest
from fmmp.datasets.evaluation import TestEpisodes

from fmmp.analysis.copying import COLUMNS, TABLES, format_floors, score_copying
from fmmp.errors import InputError
from tests.tiny import ROOT

SPLIT1_TEST = {10: 'klipspringer_face', 14: 'woodpecker_body', 39: 'swivelchair', 84: 'bed'}
SPLIT1_TRAIN_SPLIT2_TEST = {37: 'camel_face'}
SMALL = {'num_queries': 2, 'num_episodes': 3}


@pytest.fixture
def annotations(tmp_path):
    """Write an annotation file of categories, id to folder, with a number of instances each."""

    def write(folders, instances=8, **few):
        random = np.random.RandomState(0)
        content = {'images': [], 'annotations': [], 'categories': []}
        for id_, folder in folders.items():
            name = {'woodpecker_body': 'Woodpecker'}.get(folder, folder)
            links = [[0, 1]] if id_ in (39, 84) else [[1, 4]]  # from 0 and from 1, as MP-100's
            content['categories'].append({'id': id_, 'name': name, 'skeleton': links})
            for number in range(few.get(folder, instances)):
                image = len(content['images'])
                file_name = f'{folder}/{number}.jpg'
                content['images'].append(
                    {'id': image, 'file_name': file_name, 'width': 200, 'height': 200}
                )
                keypoints = np.column_stack([random.randint(0, 100, (4, 2)), [0, 1, 2, 2]])
                content['annotations'].append(
                    {
                        'id': image,
                        'image_id': image,
                        'category_id': id_,
                        'bbox': [0, 0, 100, 60],
                        'keypoints': keypoints.ravel().tolist(),
                    }
                )
        file = tmp_path / 'annotations.json'
        file.write_text(json.dumps(content))
        return file

    return write


def test_the_floor_is_the_one_that_testing_reports(annotations):
    file = annotations(SPLIT1_TEST)
    floors, _ = score_copying(file, shots=(1, 5), **SMALL)
    for shots in (1, 5):
        dataset = TestEpisodes(
            file,
            '',
            [],
            list(SPLIT1_TEST),
            num_shots=shots,
            skeleton_base='mp100',
            data_cfg={'padding': 'zero'},
            **SMALL,
        )
        anything = np.zeros((len(dataset), 2, 4, 2))
        report = dataset.report([{'index': range(len(dataset)), 'points': anything}])
        expected = report['copy_support_per_category']
        found = {floor.category: floor.scores for floor in floors if floor.shots == shots}
        assert found.keys() == expected.keys() == set(SPLIT1_TEST.values())
        for name, scores in found.items():
            assert scores == pytest.approx([expected[name][column] for column in COLUMNS])


def test_categories_with_too_few_instances_are_left_out_and_named(annotations):
    file = annotations({10: SPLIT1_TEST[10], 84: SPLIT1_TEST[84]}, bed=6)
    floors, left_out = score_copying(file, shots=(1, 5), **SMALL)
    assert [(floor.category, floor.shots) for floor in floors] == [
        ('klipspringer_face', 1),
        ('bed', 1),
        ('klipspringer_face', 5),
    ]
    assert left_out[0].startswith('split 1, test: left out') and 'bed' not in left_out[0]
    assert 'bed (6)' in left_out[1]


def test_a_unified_file_is_scored_split_by_split(annotations):
    file = annotations(SPLIT1_TEST | SPLIT1_TRAIN_SPLIT2_TEST)
    floors, _ = score_copying(file, shots=[1], **SMALL)
    by_split = {split: {x.category for x in floors if x.split == split} for split in range(1, 6)}
    assert by_split == {
        1: set(SPLIT1_TEST.values()),
        2: {'camel_face'},
        **{split: set() for split in (3, 4, 5)},
    }


@pytest.mark.parametrize(
    ('folders', 'instances', 'message'),
    [
        ({10: 'cups', 14: 'forks'}, 8, 'no instance of a category of MP-100'),
        (SPLIT1_TEST, 2, 'no category to score has the instances of an episode, 3'),
    ],
)
def test_a_file_without_anything_to_score_is_refused_by_name(
    annotations, folders, instances, message
):
    with pytest.raises(InputError, match=rf'annotations\.json: .*{message}'):
        score_copying(annotations(folders, instances), **SMALL)


def test_tables_show_means_over_categories_in_per_cent(annotations):
    floors, _ = score_copying(annotations(SPLIT1_TEST | SPLIT1_TRAIN_SPLIT2_TEST), [1], **SMALL)
    score = {floor.category: 100 * floor.scores[-1] for floor in floors}

    def rows(by):
        return [line.split(',') for line in format_floors(floors, by, 'csv').splitlines()[1:]]

    of_split = np.mean([score[name] for name in SPLIT1_TEST.values()])
    first, _, whole = rows('split')
    assert first[:4] == ['test', '1', '1', '4'] and first[-1] == f'{of_split:.2f}'
    assert whole[:4] == ['test', 'all', '1', '5']
    assert whole[-1] == f'{np.mean(list(score.values())):.2f}'
    furniture = (score['swivelchair'] + score['bed']) / 2
    assert ['furniture', 'test', '1', '1', '2', f'{furniture:.2f}'] in [
        [*row[:5], row[-1]] for row in rows('super-category')
    ]
    assert [
        'woodpecker_body',
        'animal body',
        'test',
        '1',
        '1',
        f'{score["woodpecker_body"]:.2f}',
    ] in [[*row[:5], row[-1]] for row in rows('category')]
    assert {len(rows(by)) for by in TABLES} == {3, 7, 5}


def test_the_script_prints_the_tables_and_names_what_is_left_out(annotations):
    script = ROOT / 'tools/analysis/copying.py'
    file = annotations({10: SPLIT1_TEST[10], 84: SPLIT1_TEST[84]}, 20)
    done = subprocess.run(
        [sys.executable, script, file, '--by', 'category'], capture_output=True, text=True
    )
    assert done.returncode == 0 and done.stdout.count('\n') == 2 + 2 * 2, done.stderr
    assert done.stderr.startswith('split 1, test: left out') and done.stderr.count('\n') == 1
