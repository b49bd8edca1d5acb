"""The runner with a model of one weight, whose gradient is the mean of a batch."""

import logging

import torch
from torch import nn

from fmmp.apis.runner import Runner


class Weight(nn.Module):
    """loss = weight · mean(batch); ``seen`` sums what has passed."""

    def __init__(self, precision=torch.float32):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(()))
        self.register_buffer('seen', torch.zeros(()))
        self.precision = precision

    def train_step(self, data_batch, optimizer):
        values = data_batch['values']
        self.seen += values.mean()
        loss = (
            self.weight * values.mean() + values.mean() * 0
        )  # not finite where the values are not
        log_vars = {'loss': loss.item()}
        return {'loss': loss, 'log_vars': log_vars, 'num_samples': len(values)}


class Files:
    """A data set that names its episodes' files."""

    def files(self, index):
        return [f'support_{index}.jpg', f'query_{index}.jpg']


def batches(*values):
    return [
        {'values': torch.tensor([float(value)]), 'index': torch.tensor([index])}
        for index, value in enumerate(values)
    ]


def toy_runner(work_dir, *hooks, model=None, epochs=1):
    """A runner with gradient descent of rate 1."""
    model = model or Weight()
    optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
    runner = Runner(
        model,
        optimizer=optimizer,
        work_dir=str(work_dir),
        logger=logging.getLogger('toy'),
        meta={},
        max_epochs=epochs,
    )
    for hook in hooks:
        runner.register_hook(hook)
    return runner


def run(runner, data):
    runner.run([data], [('train', 1)])
    return runner.model.weight.item()
