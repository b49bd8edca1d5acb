"""How OpenMP's threads wait for each other on the CPU."""

from __future__ import annotations

import os
import sys

# Of OpenMP itself, of GNU's (torch's from pip) and of Intel's and LLVM's (conda's, macOS's).
_WAITING = ('OMP_WAIT_POLICY', 'GOMP_SPINCOUNT', 'KMP_BLOCKTIME', 'KMP_LIBRARY')


def let_waiting_threads_sleep() -> None:
    """Let OpenMP's threads sleep, and not spin, while they wait for each other.

    A thread that spins takes its core from the one it waits for as soon as there are more of them
    than free cores: beside another busy process, training then slows down many times over
    (benchmarks/busy_core.py). OpenMP reads this once, when torch is imported. Where that has been,
    or where the user has set how threads wait, this does nothing.
    """
    if 'torch' not in sys.modules and not any(name in os.environ for name in _WAITING):
        os.environ['OMP_WAIT_POLICY'] = 'passive'
