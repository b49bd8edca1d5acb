"""Images a second of training and testing FMMP with ResNet-50 at the release's sizes.

The episodes lie on the device. ``backbone`` is the share of the time that the backbone takes alone,
in the same way of running; of training, forward and backward. Training counts two images an
episode, testing a support and its queries.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from fmmp.models.ops import library

from .timing import OUT_OF_MEMORY, free_memory, median_seconds, peak_gigabytes
from .variants import EAGER, Variant, config_for, test_run, training_step


def rows(device: str, seconds: float) -> Iterator[dict]:
    """Rows of the ways to run without a compiler."""
    yield from measure(EAGER if device == 'cuda' else EAGER[:1], device, seconds)


def measure(variants: Sequence[Variant], device: str, seconds: float) -> Iterator[dict]:
    """A row a way to run and a use; an error of one is told and stops no other."""
    config = config_for(device)
    batches, queries = ((16, 64), (15, 127)) if device == 'cuda' else ((2,), (2,))
    uses = [
        *(('training', training_step, batch, 2 * batch) for batch in batches),
        *(('testing', test_run, count, 1 + count) for count in queries),
    ]
    limit = min(2, seconds / len(variants) / len(uses) / 4)
    for use, make, size, images in uses:
        for variant in variants:
            row = {'use': use, 'way': variant.name, 'images': images}
            if device not in library.DEVICES:
                row['note'] = 'ops in plain PyTorch'
            try:
                run, backbone = make(variant, config, size, device)
                time = median_seconds(run, device, limit)
                row['ms'] = 1000 * time
                row['images/s'] = images / time
                row['backbone'] = median_seconds(backbone, device, limit / 2) / time
                row['GB'] = peak_gigabytes(run, device)
            except OUT_OF_MEMORY:
                row['note'] = 'out of memory'
            except Exception as error:
                # That a compiler or a graph is not to be had here says nothing against the rest.
                kind = 'note' if variant.compiled or variant.graph else 'failed'
                row[kind] = f'not run: {type(error).__name__}: {error}'[:300]
            yield row
            run = backbone = None
            free_memory()
