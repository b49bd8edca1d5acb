"""Say which ops are in use, and why: ``python -m fmmp.models.ops``."""

import torch

from .library import DEVICES, REASON


def main() -> None:
    """Print the implementation used on each type of device, and why."""
    for device in ('cpu', 'cuda'):
        used = 'compiled' if device in DEVICES else 'plain PyTorch'
        here = '' if device == 'cpu' or torch.cuda.is_available() else ' (no such device here)'
        print(f'{device}: {used}{here}')
    print(REASON)
    if 'cpu' in DEVICES and 'cuda' not in DEVICES:
        print(
            f'CUDA kernels are compiled where torch is built for CUDA (here: {torch.version.cuda}) '
            'and an nvcc of the same major version is found, on the PATH or in $CUDA_HOME'
        )


if __name__ == '__main__':
    main()
