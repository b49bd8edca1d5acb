#!/usr/bin/env python3
"""Write the projection that a training of LearnedMatching has learned as a file of its own.

    python tools/projection.py work_dirs/learned/latest.pth projection.safetensors

model.projection of FeatureMatching names it, in a config that then needs no checkpoint.
"""

import argparse
from pathlib import Path

from fmmp.checkpoints import (  # not found? bash install.sh
    load_checkpoint_file,
    state_dict_of,
)
from fmmp.cli import run
from fmmp.errors import CheckpointError
from fmmp.files import atomic_path


def main() -> None:
    """Write it."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('checkpoint', type=Path, help='of a config of the model LearnedMatching')
    parser.add_argument('out', type=Path, help='file to write, .safetensors')
    args = parser.parse_args()
    if args.out.suffix != '.safetensors':
        parser.error(f'{args.out}: name a file that ends in .safetensors')
    weights = state_dict_of(load_checkpoint_file(args.checkpoint))
    if 'projection' not in weights:
        raise CheckpointError(
            f'{args.checkpoint} holds no projection: name a checkpoint of LearnedMatching, such as '
            'configs/matching/learned_efficientnet_lite0_rendered.py trains'
        )
    from safetensors.torch import save_file

    with atomic_path(args.out) as scratch:
        save_file({'projection': weights['projection'].contiguous()}, scratch)
    print(f'{args.out}: {args.out.stat().st_size / 1e6:.1f} MB')


if __name__ == '__main__':
    run(main)
