"""SIGINT (Ctrl-C) and SIGTERM (a cluster's preemption) stop a training and save where it was."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
import torch.distributed as dist
from mmcv.runner import Hook, get_dist_info

from .runner import Runner
from .work_dir import checkpoints

INTERRUPTED = 'interrupted.pth'


class Interrupted(KeyboardInterrupt):
    """A training was stopped by a signal; the message says what is saved and how to go on.

    Attributes:
        number: the signal's.
    """

    def __init__(self, message: str, number: int) -> None:
        super().__init__(message)
        self.number = number


@contextmanager
def interruptible(runner: Runner) -> Iterator[None]:
    """Let SIGINT and SIGTERM stop the training inside, never in the middle of a step.

    A process that is alone stops at once, or at the end of its step; several stop together at the
    end of one. A second signal stops a process that is alone wherever it is.

    Raises:
        Interrupted: a signal came; ``interrupted.pth`` holds the weights as they were, unless a
            second signal came within a step.
    """
    if threading.current_thread() is not threading.main_thread():  # no signals reach it
        yield
        return
    stop = StopBetweenSteps()
    runner.register_hook(stop, priority='LOWEST')
    before = {number: signal.signal(number, stop.ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    except KeyboardInterrupt:
        if not stop.in_step:
            runner.save_interrupted(INTERRUPTED)
        message = _message(runner, saved=not stop.in_step)
        raise Interrupted(message, stop.number or signal.SIGINT) from None
    else:
        if get_dist_info()[0] == 0:  # of an earlier start; all of it is trained now
            (Path(runner.work_dir) / INTERRUPTED).unlink(missing_ok=True)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class StopBetweenSteps(Hook):
    """Raises KeyboardInterrupt where weights and optimiser belong together.

    Attributes:
        number: of the signal that asked to stop; 0 before.
    """

    def __init__(self) -> None:
        self.number = 0
        self.in_step = False

    def ask(self, number: int, _: object) -> None:
        """Handle a signal."""
        again, self.number = self.number != 0, number
        if _several_processes():
            return  # launchers send signals more than once
        if again or not self.in_step:
            raise KeyboardInterrupt

    def before_train_iter(self, runner: Runner) -> None:
        """A step begins."""
        self.in_step = True

    def after_train_iter(self, runner: Runner) -> None:
        """A step has ended."""
        self.in_step = False
        asked = self.number
        if _several_processes():
            device = next(runner.model.parameters()).device
            signals = torch.tensor(asked, device=device)
            dist.all_reduce(signals, dist.ReduceOp.MAX)
            asked = self.number = int(signals)
        if asked:
            raise KeyboardInterrupt


def _message(runner: Runner, saved: bool) -> str:
    work_dir = Path(runner.work_dir)
    found = checkpoints(work_dir)
    message = f'interrupted in epoch {runner.epoch + 1}: --auto-resume ' + (
        f'goes on from {found[0].name}' if found else 'starts afresh'
    )
    if saved:
        message += (
            f'; {work_dir / INTERRUPTED} holds the weights as they were, to be tested, or to go on '
            f'from by --resume-from, which begins epoch {runner.epoch + 1} again with them'
        )
    return message


def _several_processes() -> bool:
    return dist.is_available() and dist.is_initialized() and dist.get_world_size() > 1
