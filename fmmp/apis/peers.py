"""Processes that train together end together: when one fails, the others do not wait for it."""

from __future__ import annotations

import multiprocessing
import os
import sys
import threading

import torch.distributed as dist

SECONDS_BETWEEN_LOOKS = 1
SECONDS_TO_END_ALONE = 5  # most processes meet an error of their own, and say so

# Keys of the store: how many have failed, and the first one's rank and last words.
FAILURES, FIRST = 'fmmp_failures', 'fmmp_first_failure'


class Watch(threading.Thread):
    """Looks whether another process has failed, and then ends this one.

    This one may be waiting for the other inside a collective, where neither an exception nor a
    signal's handler reaches it. With gloo such a wait ends of itself when the other process has
    ended, with nccl only after minutes.

    Args:
        store: what the processes share.
        rank: this process's.
    """

    def __init__(self, store: dist.Store, rank: int) -> None:
        super().__init__(name='watch', daemon=True)
        self._store = store
        self._rank = rank
        self._over = threading.Event()

    def run(self) -> None:
        """Look until `stop`."""
        while not self._over.wait(SECONDS_BETWEEN_LOOKS):
            failure = self.failure()
            if failure and not self._over.wait(SECONDS_TO_END_ALONE):
                print(f'error: {failure}', file=sys.stderr)
                end_at_once()

    def failure(self) -> str | None:
        """What is known of another process's failure, if anything."""
        try:
            if self._store.add(FAILURES, 0) == 0:
                return None
            failed = int(self._store.get(FIRST).split()[0])
        except RuntimeError:
            return f'process {self._rank} ends, because the first one has ended'
        if failed == self._rank:
            return None
        return f'process {self._rank} ends, because process {failed} has failed'

    def tell(self, words: str) -> bool:
        """Tell the others that this process has failed.

        Returns:
            Whether its words are news: not those of a process that has failed before.
        """
        try:
            first = self._store.compare_set(FIRST, '', f'{self._rank} {words}').decode()
            self._store.add(FAILURES, 1)
        except RuntimeError:  # the store has ended with its process, which tells them, too
            return True
        rank, _, told = first.partition(' ')
        return int(rank) == self._rank or told != words

    def wait_for_looks(self) -> None:
        """Let the others look before the store ends, perhaps with this process."""
        self._over.wait(2 * SECONDS_BETWEEN_LOOKS)

    def stop(self) -> None:
        """All work is done."""
        self._over.set()


def end_at_once() -> None:
    """End this process and its workers with status 1, whatever its threads are waiting for."""
    for worker in multiprocessing.active_children():
        worker.kill()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(1)
