import pytest
from fmmp.datasets import cross_category, select_categories, split_categories


@pytest.mark.parametrize('split', [1, 2, 3, 4, 5])
def test_a_split_parts_the_hundred_categories_into_70_10_and_20(split):
    parts = [split_categories(split, subset) for subset in ('train', 'val', 'test')]
    assert [len(part) for part in parts] == [70, 10, 20]
    assert sorted(id_ for part in parts for id_ in part) == list(range(1, 101))


def test_a_split_keeps_the_published_order():
    assert split_categories(1, 'test')[:5] == [10, 77, 24, 47, 33]


@pytest.mark.parametrize('name', ['human_body', 'human_face', 'vehicle', 'furniture'])
def test_a_super_category_is_tested_and_validated_on_and_never_trained_on(name):
    held_out = cross_category(name, 'test')
    assert cross_category(name, 'val') == held_out
    assert sorted(held_out + cross_category(name, 'train')) == list(range(1, 101))


def test_a_selection_is_a_list_or_a_split_or_a_super_category_or_everything():
    assert select_categories([3, 'horse']) == [3, 'horse']
    assert select_categories({'split': 2, 'subset': 'val'}) == split_categories(2, 'val')
    assert select_categories({'super_category': 'vehicle', 'subset': 'test'}) == [51, 38, 32]
    assert select_categories(None) is None


@pytest.mark.parametrize(
    ('selection', 'message'),
    [
        ({'split': 6, 'subset': 'train'}, 'unknown split 6'),
        ({'split': 1, 'subset': 'dev'}, "unknown subset 'dev'"),
        ({'super_category': 'plant', 'subset': 'test'}, 'vehicle'),
        ({'split': 1, 'super_category': 'vehicle', 'subset': 'test'}, '_delete_=True'),
        ([], 'list of ids or names'),
        ('horse', 'list of ids or names'),
    ],
)
def test_a_selection_that_names_nothing_known_says_what_there_is(selection, message):
    with pytest.raises(ValueError, match=message):
        select_categories(selection)
