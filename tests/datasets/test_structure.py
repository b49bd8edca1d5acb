import numpy as np
import pytest
from fmmp.datasets import structural_references
from fmmp.datasets.structure import shuffled_keypoints


def test_references_follow_the_order_in_which_links_are_listed():
    index, hops = structural_references(np.ones(4, bool), [[0, 2], [1, 0], [2, 3]], count=4)
    assert index[0].tolist() == [0, 2, 1, 3]
    assert hops[0].tolist() == [0, 1, 1, 2]


def test_an_invisible_keypoint_is_reached_but_not_passed():
    index, hops = structural_references(np.array([True, False, True]), [[0, 1], [1, 2]], count=3)
    assert index.tolist() == [[0, 1, 0], [1, 1, 1], [2, 1, 2]]
    assert hops.tolist() == [[0, 1, 0], [0, 0, 0], [0, 1, 0]]


@pytest.mark.parametrize('count', [1, 3])
def test_references_are_cut_to_the_count_asked_for(count):
    index, hops = structural_references(np.ones(5, bool), [[0, i] for i in range(1, 5)], count)
    assert index[0].tolist() == [0, 1, 2][:count]
    assert hops[0].tolist() == [0, 1, 1][:count]


def test_a_link_listed_twice_and_a_link_to_oneself_change_nothing():
    index, _ = structural_references(np.ones(3, bool), [[0, 1], [1, 0], [0, 0], [0, 2]], count=3)
    assert index.tolist() == [[0, 1, 2], [1, 0, 2], [2, 0, 1]]


def test_without_links_every_keypoint_refers_to_itself():
    index, hops = structural_references(np.ones(2, bool), [], count=2)
    assert index.tolist() == [[0, 0], [1, 1]]
    assert not hops.any()


def test_no_keypoints_have_no_references():
    index, hops = structural_references(np.ones(0, bool), [], count=2)
    assert index.shape == hops.shape == (0, 2)


@pytest.mark.parametrize('link', [[0, 2], [-1, 0]])
def test_a_link_to_a_keypoint_that_is_not_there_is_an_error(link):
    with pytest.raises(ValueError, match=rf'link \({link[0]}, {link[1]}\).*2 keypoints'):
        structural_references(np.ones(2, bool), [link])


@pytest.mark.parametrize(
    ('visible', 'skeleton'), [(np.ones((2, 3), bool), [[0, 1]]), (np.ones(6, bool), [[0, 1, 2]])]
)
def test_inputs_of_other_shapes_are_an_error(visible, skeleton):
    with pytest.raises(ValueError, match=r'expected visible \(K,\) and links \(E, 2\)'):
        structural_references(visible, skeleton)


def test_no_references_cannot_be_asked_for():
    with pytest.raises(ValueError, match='0 references'):
        structural_references(np.ones(2, bool), [[0, 1]], count=0)


def test_keypoints_change_places_at_random_but_alike_for_the_same_skeleton():
    chain = [[k, k + 1] for k in range(9)]
    order = shuffled_keypoints(10, chain)
    assert sorted(order) == list(range(10)) != order.tolist()
    assert np.array_equal(shuffled_keypoints(10, chain), order)
    others = [shuffled_keypoints(10, chain[:length]).tolist() for length in range(9)]
    assert len(set(map(tuple, others))) == 9
