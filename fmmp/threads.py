"""How OpenMP's threads wait for each other on the CPU."""

from __future__ import annotations

import os
import sys

# Of OpenMP itself, of GNU's (torch's from pip) and of Intel's and LLVM's (conda's, macOS's).
_WAITING = ('OMP_WAIT_POLICY', 'GOMP_SPINCOUNT', 'KMP_BLOCKTIME', 'KMP_LIBRARY')
_BRIEFLY = '3000'  # spins: tens of microseconds, as long as most waits within a step


def let_waiting_threads_sleep() -> None:
    """Let OpenMP's threads spin briefly, then sleep, while they wait for each other.

    A thread that spins takes its core from the one it waits for as soon as there are more of them
    than free cores: beside another busy process, training then slows down many times over
    (benchmarks/busy_core.py). One that sleeps at once makes steps on idle cores a third longer.
    GNU's OpenMP, which torch from pip brings, reads this once, when torch is imported. Where that
    has been, or where the user has set how threads wait, this does nothing.
    """
    if 'torch' not in sys.modules and not any(name in os.environ for name in _WAITING):
        os.environ['GOMP_SPINCOUNT'] = _BRIEFLY
