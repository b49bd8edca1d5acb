"""Random draws that depend on what is drawn for, and never on which process draws."""

import random
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch


def derive_seeds(seed: int, *key: int, count: int = 1) -> list[int]:
    """Derive independent 32-bit seeds for a key such as (epoch, sample)."""
    return np.random.SeedSequence(seed, spawn_key=key).generate_state(count).tolist()


# NumPy's generator is exchanged, since copying its state is slow.
_STAND_IN = np.random.MT19937()


@contextmanager
def kept_generators() -> Iterator[None]:
    """Put the global generators back as they were, after what is inside.

    Transforms draw from these: MMPose's from Python's and NumPy's, torchvision's from torch's.
    """
    python, pytorch = random.getstate(), torch.default_generator.get_state()
    numpy = np.random.get_bit_generator()
    np.random.set_bit_generator(_STAND_IN)
    try:
        yield
    finally:
        random.setstate(python)
        torch.default_generator.set_state(pytorch)
        np.random.set_bit_generator(numpy)


def seed_generators(seed: int) -> None:
    """Seed Python's, NumPy's and torch's global generators, of torch's the CPU's alone.

    `torch.manual_seed` would seed a GPU's too, from which a training draws, and takes far longer.
    """
    random.seed(seed)
    torch.default_generator.manual_seed(seed)
    np.random.seed(seed)  # noqa: NPY002
