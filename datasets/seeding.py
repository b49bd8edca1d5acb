"""Random draws that depend on what is drawn for, and never on which process draws."""

import random
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np


def derive_seeds(seed: int, *key: int, count: int = 1) -> list[int]:
    """Derive independent 32-bit seeds for a key such as (epoch, sample)."""
    return np.random.SeedSequence(seed, spawn_key=key).generate_state(count).tolist()


# NumPy's generator is exchanged, since copying its state is slow.
_STAND_IN = np.random.MT19937()


@contextmanager
def kept_generators() -> Iterator[None]:
    """Put Python's and NumPy's global generators back as they were, after what is inside.

    MMPose's transforms draw from these.
    """
    python = random.getstate()
    numpy = np.random.get_bit_generator()
    np.random.set_bit_generator(_STAND_IN)
    try:
        yield
    finally:
        random.setstate(python)
        np.random.set_bit_generator(numpy)


def seed_generators(seed: int) -> None:
    """Seed Python's and NumPy's global generators."""
    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002
