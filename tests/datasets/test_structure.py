import numpy as np
from fmmp.datasets import structural_references


def test_references_follow_the_order_in_which_links_are_listed():
    index, hops = structural_references(np.ones(4, bool), [[0, 2], [1, 0], [2, 3]], count=4)
    assert index[0].tolist() == [0, 2, 1, 3]
    assert hops[0].tolist() == [0, 1, 1, 2]


def test_an_invisible_keypoint_is_reached_but_not_passed():
    index, hops = structural_references(np.array([True, False, True]), [[0, 1], [1, 2]], count=3)
    assert index.tolist() == [[0, 1, 0], [1, 1, 1], [2, 1, 2]]
    assert hops.tolist() == [[0, 1, 0], [0, 0, 0], [0, 1, 0]]


def test_references_are_cut_to_the_count_asked_for():
    index, _ = structural_references(np.ones(5, bool), [[0, i] for i in range(1, 5)], count=3)
    assert index[0].tolist() == [0, 1, 2]


def test_without_links_every_keypoint_refers_to_itself():
    index, hops = structural_references(np.ones(2, bool), [], count=2)
    assert index.tolist() == [[0, 0], [1, 1]]
    assert not hops.any()
