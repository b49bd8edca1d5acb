"""Folding of batch norms into the convolutions before them, where neither learns any more."""

from itertools import pairwise

from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_weights


def is_efficientnet(model: nn.Module) -> bool:
    """Whether it is one of timm's EfficientNets."""
    from timm.models.efficientnet import EfficientNet  # an extra

    return isinstance(model, EfficientNet)


def fold_batch_norms(model: nn.Module) -> None:
    """Fold every batch norm of an EfficientNet into the convolution before it, in place.

    In evaluation mode a batch norm is an affine map of each channel. What is left of timm's is the
    activation that it includes; the maps stay what they were, but for rounding.

    Args:
        model: timm's, in whose modules a batch norm follows its convolution.
    """
    for module in model.modules():
        for (_, conv), (name, norm) in pairwise([*module.named_children()]):
            if isinstance(conv, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d):
                statistics = norm.running_mean, norm.running_var, norm.eps, norm.weight, norm.bias
                conv.weight, conv.bias = fuse_conv_bn_weights(conv.weight, conv.bias, *statistics)
                setattr(module, name, norm.act)
