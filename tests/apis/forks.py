"""Two processes that need not import anything again."""

import multiprocessing
import os
import runpy
import socket
import sys

import torch

from tests.tiny import ROOT


def in_two_processes(main, seconds=60):
    """Call ``main(rank)`` in two forks of this process, with the environment that torchrun sets.

    Returns:
        Their exit codes; that of one that did not end in time is negative.
    """
    with socket.socket() as free:
        free.bind(('127.0.0.1', 0))
        port = free.getsockname()[1]

    def process(rank):
        torch.set_num_threads(1)  # a fork has none of its parent's threads
        shared = dict(WORLD_SIZE='2', LOCAL_RANK='0', MASTER_ADDR='127.0.0.1')
        os.environ.update(shared, RANK=str(rank), MASTER_PORT=str(port))
        main(rank)

    fork = multiprocessing.get_context('fork')
    processes = [fork.Process(target=process, args=(rank,)) for rank in range(2)]
    for one in processes:
        one.start()
    for one in processes:
        one.join(seconds)
        one.kill()
        one.join()
    return [one.exitcode for one in processes]


def run_script(name, *arguments):
    """Run a script of ``tools`` in this process, as one that torchrun has started."""
    sys.argv = [name, *map(str, arguments), '--launcher', 'pytorch']
    runpy.run_path(str(ROOT / 'tools' / name), run_name='__main__')
