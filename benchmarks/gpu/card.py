"""One process of several that train together, started by torchrun with a device and a file."""

import json
import sys
import time
from pathlib import Path

import torch
import torch.distributed as dist

from fmmp.analysis.parts import random_episodes
from fmmp.apis import init_distributed
from fmmp.apis.distributed import Distributed, leave_distributed

from .timing import synchronize
from .variants import EAGER, config_for, model_of

STEPS, WARM_UP = 20, 5


def main() -> None:
    """Take steps together; the first process writes how fast."""
    kind, out = sys.argv[1:]
    device = init_distributed('pytorch')
    config = config_for(kind)
    variant = EAGER[4] if kind == 'cuda' else EAGER[0]
    batch, steps, warm_up = (16, STEPS, WARM_UP) if kind == 'cuda' else (2, 2, 1)
    model = model_of(variant, config, device).train()
    ids = [device.index] if kind == 'cuda' else None
    model = Distributed(model, ids)
    optimizer = torch.optim.Adam(model.parameters())
    episodes = vars(random_episodes(config, 'train', batch, device=device))
    for number in range(warm_up + steps):
        if number == warm_up:
            dist.barrier()
            synchronize(kind)
            start = time.perf_counter()
        optimizer.zero_grad()
        model.train_step(episodes)['loss'].backward()
        optimizer.step()
    synchronize(kind)
    dist.barrier()
    images = 2 * batch * steps * dist.get_world_size()
    if dist.get_rank() == 0:
        Path(out).write_text(json.dumps({'images/s': images / (time.perf_counter() - start)}))
    leave_distributed()


if __name__ == '__main__':
    main()
