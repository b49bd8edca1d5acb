"""What is computed in float32 whatever the model's precision."""

import torch
from torch import Tensor


def in_float32(like: Tensor) -> torch.autocast:
    """A context without autocast on a tensor's device.

    Autocast knows no meta device, on which shapes alone are computed.
    """
    return torch.autocast('cpu' if like.is_meta else like.device.type, enabled=False)
