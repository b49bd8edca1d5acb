"""Folding of batch norms into the convolutions before them, where neither learns any more.

In evaluation mode a batch norm is an affine map of each channel, which a convolution can do itself.
"""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.utils.fusion import fuse_conv_bn_weights

from fmmp.errors import InputError


@torch.no_grad()
def fold_batch_norms(backbone: nn.Module) -> nn.Module:
    """Fold every batch norm that takes a convolution's output into that convolution.

    Which do shows when an image of noise passes. Its maps must stay what they were, but for
    rounding.

    Args:
        backbone: a backbone of any kind.

    Returns:
        A folded copy in evaluation mode; the backbone itself where there is nothing to fold, its
        maps would change, or it takes no small images.
    """
    if not any(isinstance(module, _BatchNorm) for module in backbone.modules()):
        return backbone
    folded = copy.deepcopy(backbone)
    folded.eval()  # MMPose's do not return themselves
    generator = torch.Generator().manual_seed(0)
    side = 2 * getattr(backbone, 'size_divisor', 32)
    noise = torch.randn(1, 3, side, side, generator=generator).to(next(folded.parameters()))
    try:
        before, pairs = _maps_and_pairs(folded, noise)
    except InputError:  # made for images of one size
        return backbone
    places = {child: (m, name) for m in folded.modules() for name, child in m.named_children()}
    for norm, conv in pairs.items():
        statistics = norm.running_mean, norm.running_var, norm.eps, norm.weight, norm.bias
        conv.weight, conv.bias = fuse_conv_bn_weights(conv.weight, conv.bias, *statistics)
        module, name = places[norm]
        # timm's batch norms include the activation that follows.
        setattr(module, name, getattr(norm, 'act', nn.Identity()))
    after, _ = _maps_and_pairs(folded, noise)
    same = ((a - b).abs().max() <= 1e-3 * a.abs().max() for a, b in zip(before, after, strict=True))
    return folded if pairs and all(same) else backbone


def _maps_and_pairs(
    backbone: nn.Module, imgs: Tensor
) -> tuple[list[Tensor], dict[_BatchNorm, nn.Conv2d]]:
    """A backbone's maps, and the batch norms whose input is a convolution's output."""
    pairs, latest, handles = {}, (None, None), []

    def made(conv: nn.Conv2d, _: tuple, output: Tensor) -> None:
        nonlocal latest
        latest = conv, output

    def taken(norm: _BatchNorm, inputs: tuple) -> None:
        if inputs[0] is latest[1] and norm.running_mean is not None:
            pairs[norm] = latest[0]

    for module in backbone.modules():
        if isinstance(module, nn.Conv2d):
            handles.append(module.register_forward_hook(made))
        elif isinstance(module, _BatchNorm):
            handles.append(module.register_forward_pre_hook(taken))
    try:
        maps = backbone(imgs)
    finally:
        for handle in handles:
            handle.remove()
    return ([maps] if isinstance(maps, Tensor) else [*maps]), pairs
