"""How fresh weights are drawn."""

from typing import TypeVar

from torch import nn

Module = TypeVar('Module', bound=nn.Module)


def xavier(module: Module) -> Module:
    """Draw matrices of linear layers, convolutions and attentions Xavier-uniformly, biases zero.

    Args:
        module: whose layers, and its own weights, are drawn in place.

    Returns:
        The module.
    """
    for layer in module.modules():
        if isinstance(layer, (nn.Linear, nn.Conv1d, nn.Conv2d)):
            nn.init.xavier_uniform_(layer.weight)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
        elif isinstance(layer, nn.MultiheadAttention):
            parts = (layer.q_proj_weight, layer.k_proj_weight, layer.v_proj_weight)
            for weight in (layer.in_proj_weight, *parts):
                if weight is not None:
                    nn.init.xavier_uniform_(weight)
            nn.init.zeros_(layer.in_proj_bias)
    return module
