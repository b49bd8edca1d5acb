"""Which structural references the miners look around: the skeleton's, or an ablation's."""

import torch
from torch import Tensor

STRUCTURES = ('given', 'self', 'full', 'off')


def choose_references(structure: str, visible: Tensor, reference_index: Tensor) -> Tensor:
    """The structural references that a setting of ``structure`` asks for.

    Args:
        structure: ``given``: as they are, the skeleton's; ``self`` or ``off``: every reference is
            the keypoint itself; ``full``: as in a skeleton that links each keypoint to every other,
            the keypoint itself, then the other visible ones in their order.
        visible: (B, S, K) bool.
        reference_index: (B, S, K, M') long.

    Returns:
        (B, S, K, M') long
    """
    if structure == 'given':
        return reference_index
    keypoints, count = reference_index.shape[-2:]
    number = torch.arange(keypoints, device=visible.device)
    itself = number[:, None].expand(*visible.shape, count)
    if structure in ('self', 'off'):
        return itself
    # Ascending sort keys: the keypoint itself, the other visible ones, then invisible ones.
    key = torch.where(visible, number, number + keypoints)[..., None, :]
    key = torch.where(torch.eye(keypoints, dtype=torch.bool, device=key.device), -1, key)
    key, index = key.expand(*visible.shape, keypoints).sort(dim=-1)
    index = torch.where(key < keypoints, index, number[:, None])
    index = torch.where(visible[..., None], index, number[:, None])
    missing = max(count - keypoints, 0)
    return torch.cat((index, itself[..., :missing]), dim=-1)[..., :count]
