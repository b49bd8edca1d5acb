"""What all commands share: errors of one line, and progress. Needs no OpenMMLab."""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Callable
from datetime import timedelta

from fmmp.errors import InputError


def run(main: Callable[[], None]) -> None:
    """Run a command; what is wrong with its input or machine ends it in one line, no traceback.

    The exit status is 1 after an error, and 128 + N after signal N.
    """
    try:
        main()
    except (InputError, OSError) as error:
        sys.exit(f'error: {one_line(error)}')
    except KeyboardInterrupt as interrupt:
        print(str(interrupt) or 'interrupted', file=sys.stderr)
        sys.exit(signal_status(interrupt))


def one_line(error: Exception) -> str:
    """An error's message; of one in a data loader's worker, what the worker says last."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return lines[-1] if lines[0].startswith('Caught ') else ' '.join(lines)


def signal_status(interrupt: KeyboardInterrupt) -> int:
    """The exit status after a signal: of the number that the interrupt names, else Ctrl-C's."""
    return 128 + getattr(interrupt, 'number', signal.SIGINT)


class Progress:
    """Says on the standard error how much of a long work is done and how long the rest takes.

    A terminal has a bar, drawn anew twice a second. A file, such as a cluster's log, has a line
    every half a minute.

    Args:
        what: the things that are counted, such as ``images``.
    """

    def __init__(self, what: str) -> None:
        self.what = what
        self.is_terminal = sys.stderr.isatty()
        self.start = self.shown = time.monotonic()

    def __call__(self, done: int, total: int) -> None:
        """Show how much is done, unless that was a moment ago; the end always shows."""
        now = time.monotonic()
        if done < total and now - self.shown < (0.5 if self.is_terminal else 30):
            return
        self.shown = now
        spent = now - self.start
        left = timedelta(seconds=round(spent * (total - done) / max(done, 1)))
        line = f'{done}/{total} {self.what}, '
        line += f'{left} left' if done < total else f'{timedelta(seconds=round(spent))}'
        if self.is_terminal:
            line = f'\r[{"#" * (30 * done // max(total, 1)):<30}] {line:<45}'
        redrawn = self.is_terminal and done < total
        print(line, end='' if redrawn else '\n', file=sys.stderr, flush=True)
