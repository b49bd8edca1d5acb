"""How fresh weights are drawn."""

from typing import TypeVar

from torch import nn

Module = TypeVar('Module', bound=nn.Module)


def xavier(module: Module) -> Module:
    """Draw the matrices of linear layers and attentions Xavier-uniformly, with zero biases.

    Args:
        module: whose layers, and its own weights, are drawn in place.

    Returns:
        The module.
    """
    for layer in module.modules():
        if isinstance(layer, nn.Linear):
            nn.init.xavier_uniform_(layer.weight)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
        elif isinstance(layer, nn.MultiheadAttention):
            nn.init.xavier_uniform_(layer.in_proj_weight)
            nn.init.zeros_(layer.in_proj_bias)
    return module
