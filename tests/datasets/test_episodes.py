import random

import pytest
from fmmp.datasets import evaluation_pairs, training_tuples

INSTANCES = {1: [0, 1, 2], 2: [3, 4, 5, 6, 7]}


def test_evaluation_pairs_equal_the_recorded_ones(golden):
    recorded = golden('episodes.json')
    instances = {int(id_): x for id_, x in recorded['instances_per_category'].items()}
    for case in recorded['cases']:
        expected = case.pop('pairs')
        assert evaluation_pairs(instances, **case) == expected


def test_evaluation_pairs_are_the_same_every_time_and_leave_the_global_generator_alone():
    state = random.getstate()
    first = evaluation_pairs(INSTANCES, [1, 2], 1, 2, 3)
    assert evaluation_pairs(INSTANCES, [1, 2], 1, 2, 3) == first
    assert random.getstate() == state


def test_too_few_instances_for_an_episode_is_an_error():
    with pytest.raises(ValueError):
        evaluation_pairs(INSTANCES, [1], 1, 3, 1)


def test_every_category_trains_as_often_as_the_largest_has_instances():
    tuples = training_tuples(INSTANCES, [1, 2], 1, random.Random(0))
    assert len(tuples) == 2 * 5
    assert sum(x[0] in INSTANCES[1] for x in tuples) == 5


def test_a_training_tuple_holds_distinct_instances_of_one_category():
    for drawn in training_tuples(INSTANCES, [1, 2], 2, random.Random(0)):
        assert len(set(drawn)) == 3
        assert set(drawn) <= set(INSTANCES[1]) or set(drawn) <= set(INSTANCES[2])


def test_training_tuples_mix_the_categories():
    tuples = training_tuples(INSTANCES, [1, 2], 1, random.Random(0), num_episodes=50)
    assert {x[0] in INSTANCES[1] for x in tuples[:50]} == {True, False}
