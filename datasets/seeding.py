"""Random draws that depend on what is drawn for, and never on which process draws."""

import random
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np


def derive_seed(seed: int, *key: int) -> int:
    """Derive an independent 32-bit seed for a key such as (epoch, sample)."""
    return int(np.random.SeedSequence(seed, spawn_key=key).generate_state(1)[0])


@contextmanager
def global_generators(seed: int) -> Iterator[None]:
    """Seed Python's and NumPy's global generators inside, and put them back as they were after.

    MMPose's transforms draw from these.
    """
    states = random.getstate(), np.random.get_state()  # noqa: NPY002
    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002
    try:
        yield
    finally:
        random.setstate(states[0])
        np.random.set_state(states[1])  # noqa: NPY002
