"""Several processes: starting them, training and collecting results in them."""

from __future__ import annotations

import os
import sys
from uuid import uuid4

import torch
import torch.distributed as dist
from torch.distributed.rendezvous import rendezvous
from torch.nn.parallel import DistributedDataParallel

from fmmp.errors import InputError
from fmmp.models.detectors.step import step_outputs

from .peers import Watch, end_at_once

LAUNCHERS = ('none', 'pytorch', 'slurm')

_watch: Watch | None = None  # where there are several processes


def init_distributed(launcher: str = 'none', gpu_id: int = 0) -> torch.device:
    """Join the other processes, if any; nccl with GPUs, gloo without.

    Args:
        launcher: ``none``, ``pytorch`` (torchrun) or ``slurm``.
        gpu_id: GPU of a process that is alone.

    Returns:
        This process's device: its GPU, or the CPU where there is none.

    Raises:
        InputError: the launcher has not set its environment variables.
    """
    if launcher == 'slurm':
        _slurm_to_torchrun()
    if launcher != 'none':
        missing = [k for k in ('RANK', 'WORLD_SIZE', 'LOCAL_RANK') if k not in os.environ]
        if missing:
            raise InputError(
                f'--launcher {launcher}: the environment lacks {", ".join(missing)}; '
                'start with tools/dist_train.sh CONFIG GPUS, or leave out --launcher'
            )
    device = torch.device('cpu')
    if torch.cuda.is_available():
        device = torch.device('cuda', gpu_id if launcher == 'none' else _local_gpu())
        torch.cuda.set_device(device)
    if launcher != 'none':
        store, rank, world_size = next(rendezvous('env://'))
        backend = 'nccl' if device.type == 'cuda' else 'gloo'
        dist.init_process_group(backend, store=store, rank=rank, world_size=world_size)
        if world_size > 1:
            global _watch
            # torchrun may keep its store when it starts the processes again, with what was said of
            # the failure before: each start has names of its own.
            start = [uuid4().hex]
            dist.broadcast_object_list(start, src=0)
            _watch = Watch(dist.PrefixStore(start[0], store), rank)
            _watch.start()
    return device


def leave_distributed() -> None:
    """Leave the process group, if there is one, when all work is done."""
    if dist.is_available() and dist.is_initialized():
        # Last, what holds no Python object: torch 2.0's gloo can wait for ever for Python's lock if
        # the group ends while it lets go of a tensor.
        dist.barrier()
        if _watch:
            _watch.stop()
        dist.destroy_process_group()


def is_first_process() -> bool:
    """Whether this process is the first, or alone: the one that prints and writes."""
    return not (dist.is_available() and dist.is_initialized()) or dist.get_rank() == 0


def failure_elsewhere() -> str | None:
    """What is known of another process's failure, if anything."""
    return _watch.failure() if _watch else None


def end_after_failure(message: str | None) -> None:
    """End one of several processes at once, while its error is handled; the others follow.

    Does nothing in a process that is alone. Python's own exit leaves the process group, which can
    take as long as the others wait for this one.

    Args:
        message: what to print in place of the traceback, unless another has printed the same.
    """
    if _watch:
        is_news = _watch.tell(message or '')
        if message is None:
            sys.excepthook(*sys.exc_info())
        elif is_news:
            print(message, file=sys.stderr)
        _watch.wait_for_looks()
        end_at_once()


def _local_gpu() -> int:
    """This process's GPU; slurm may show each process its own alone."""
    return int(os.environ['LOCAL_RANK']) % torch.cuda.device_count()


def _slurm_to_torchrun() -> None:
    """Set torchrun's environment variables from slurm's."""
    names = {'RANK': 'SLURM_PROCID', 'WORLD_SIZE': 'SLURM_NTASKS', 'LOCAL_RANK': 'SLURM_LOCALID'}
    for name, slurm in names.items():
        if slurm in os.environ:
            os.environ[name] = os.environ[slurm]
    # Jobs that share a node need ports of their own.
    port = 20_000 + int(os.environ.get('SLURM_JOB_ID', 9500)) % 20_000
    os.environ.setdefault('MASTER_PORT', os.environ.get('PORT', str(port)))
    # The first of the nodes: `scontrol` is wherever slurm is.
    if 'MASTER_ADDR' not in os.environ and 'SLURM_NODELIST' in os.environ:
        import subprocess

        command = ['scontrol', 'show', 'hostnames', os.environ['SLURM_NODELIST']]
        nodes = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        os.environ['MASTER_ADDR'] = nodes.split()[0]


def collect(results: list) -> list:
    """Every process's results in one list, the same in every process."""
    if not (dist.is_available() and dist.is_initialized()):
        return results
    parts = [None] * dist.get_world_size()
    dist.all_gather_object(parts, results)
    return [result for part in parts for result in part]


class Distributed(DistributedDataParallel):
    """torch's data-parallel wrapper with the step that MMCV's runner calls.

    Every forward pass, validation's too, begins with the first process's buffers in all of them:
    batch norm's running means differ by process after a step.
    """

    def train_step(self, batch: dict, *_: object, **__: object) -> dict:
        """The losses of this process's part of the batch; backward averages the gradients."""
        return step_outputs(self(**batch), batch)
