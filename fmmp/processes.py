"""What several processes do as one."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import torch.distributed as dist

Result = TypeVar('Result')


def in_first_process(function: Callable[[], Result]) -> Result:
    """Call a function in the first process alone; its result, or its error, reaches all."""
    if not (dist.is_available() and dist.is_initialized()):
        return function()
    outcome = [None, None]
    if dist.get_rank() == 0:
        try:
            outcome[0] = function()
        except Exception as error:
            outcome[1] = error
    dist.broadcast_object_list(outcome, src=0)
    if outcome[1] is not None:
        raise outcome[1]
    return outcome[0]
