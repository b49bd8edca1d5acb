"""The seed of a training's random draws."""

from __future__ import annotations

import os
import random

import numpy as np
import torch
import torch.distributed as dist


def shared_seed(seed: int | None) -> int:
    """The given seed, or one drawn by the first process for all."""
    drawn = [random.randrange(2**31) if seed is None else seed]
    if dist.is_available() and dist.is_initialized():
        dist.broadcast_object_list(drawn, src=0)
    return drawn[0]


def seed_everything(seed: int, deterministic: bool) -> None:
    """Seed Python's, numpy's and torch's draws.

    Args:
        seed: of all of them.
        deterministic: also ask torch for deterministic algorithms.
    """
    random.seed(seed)
    np.random.seed(seed % 2**32)  # noqa: NPY002 (MMPose draws from it)
    torch.manual_seed(seed)
    if deterministic:
        torch.backends.cudnn.benchmark = False
        os.environ.setdefault('CUBLAS_WORKSPACE_CONFIG', ':4096:8')
        torch.use_deterministic_algorithms(True, warn_only=True)
