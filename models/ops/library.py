"""The compiled ops: where they are, and for which devices."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch

from .build import library_name


def load(folder: Path) -> tuple[frozenset[str], str]:
    """Load the compiled ops.

    Returns:
        The types of the devices that they run on, none if they cannot be had, and one sentence
        that says why.
    """
    if os.environ.get('FMMP_OPS') == '0':
        return frozenset(), 'FMMP_OPS=0 asks for plain PyTorch'
    name = library_name(torch.__version__)
    found = sorted(folder.glob(f'{name}.*'))
    if not found:
        others = sorted(path.name for path in folder.glob(f'{library_name("")}*'))
        what = f'only {", ".join(others)} is compiled' if others else 'nothing is compiled'
        return frozenset(), (
            f'{what} for torch {torch.__version__}: `bash install.sh`, or `pip install '
            '--no-build-isolation .`, compiles the ops where there is a C++ compiler'
        )
    try:
        torch.ops.load_library(found[0])
    except OSError as error:
        return frozenset(), f'{found[0]} cannot be loaded: {error}'
    has_cuda = torch._C._dispatch_has_kernel_for_dispatch_key('fmmp::ms_deform_sample', 'CUDA')
    return frozenset({'cpu', 'meta', 'cuda'} if has_cuda else {'cpu', 'meta'}), str(found[0])


DEVICES, REASON = load(Path(__file__).parent)


@contextmanager
def plain_pytorch() -> Iterator[None]:
    """Compute in plain PyTorch inside the block, as where nothing is compiled."""
    global DEVICES
    compiled, DEVICES = DEVICES, frozenset()
    try:
        yield
    finally:
        DEVICES = compiled
