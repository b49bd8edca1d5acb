import torch
from fmmp.models.layers.structure import choose_references


def test_full_structure_lists_a_keypoint_itself_then_the_other_visible_ones():
    visible = torch.tensor([[[True, False, True, True]]])
    given = torch.zeros(1, 1, 4, 4, dtype=torch.long)
    chosen = choose_references('full', visible, given)
    assert chosen[0, 0].tolist() == [[0, 2, 3, 0], [1, 1, 1, 1], [2, 0, 3, 2], [3, 0, 2, 3]]


def test_full_structure_fills_up_where_there_are_fewer_keypoints_than_references():
    visible = torch.ones(1, 1, 2, dtype=torch.bool)
    chosen = choose_references('full', visible, torch.zeros(1, 1, 2, 4, dtype=torch.long))
    assert chosen[0, 0].tolist() == [[0, 1, 0, 0], [1, 0, 1, 1]]


def test_self_structure_lists_the_keypoint_alone():
    visible = torch.ones(1, 2, 3, dtype=torch.bool)
    chosen = choose_references('self', visible, torch.zeros(1, 2, 3, 2, dtype=torch.long))
    assert chosen[0, 1].tolist() == [[0, 0], [1, 1], [2, 2]]
