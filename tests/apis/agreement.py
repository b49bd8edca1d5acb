"""A hook for the test of two processes; the config names it."""

import json
import time
from pathlib import Path

import torch
import torch.distributed as dist
from mmcv.runner import HOOKS, Hook
from torch import nn

time.sleep = lambda seconds: None  # MMCV's runner sleeps a second when it ends


@HOOKS.register_module()
class AgreementHook(Hook):
    """Writes, epoch by epoch, how many processes have exactly the first one's parameters.

    In the third epoch it gives the second process images that are not numbers. In the fourth, batch
    norm learns, each process's from its own last images alone.
    """

    def before_train_iter(self, runner):
        if runner.epoch == 2 and runner.rank == 1:
            runner.data_batch['imgs'].fill_(torch.nan)
        if runner.epoch == 3:
            for module in runner.model.modules():
                if isinstance(module, nn.BatchNorm2d):
                    module.train().momentum = 1.0

    def after_train_epoch(self, runner):
        mine = torch.cat([p.detach().flatten() for p in runner.model.parameters()])
        everyones = [torch.empty_like(mine) for _ in range(dist.get_world_size())]
        dist.all_gather(everyones, mine)
        if runner.rank == 0:
            agreeing = sum(torch.equal(theirs, mine) for theirs in everyones)
            with Path(runner.work_dir, 'agreement.jsonl').open('a') as file:
                file.write(json.dumps(agreeing) + '\n')
