"""Both directions of the ops on small inputs, for compute-sanitizer; the argument: the device."""

import sys

import torch

from tests.models.ops.cases import results_and_gradients

from . import parity

device = sys.argv[1]
for dtype in (torch.float32, torch.bfloat16):
    for sizes in (dict(channels=37), dict(channels=64, heads=2)):
        for op in parity.OPS:
            inputs = parity.inputs_of(op, device, dtype, queries=7, **sizes)
            for change in (parity.as_they_are, parity.hostile, parity.unaligned):
                results_and_gradients(op, change(inputs))
if device == 'cuda':
    torch.cuda.synchronize()
