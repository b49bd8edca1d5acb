#!/usr/bin/env python3
"""Write what a training of LearnedMatching has learned as files of their own.

    python tools/projection.py work_dirs/learned/latest.pth projection.safetensors
    python tools/projection.py work_dirs/tuned/latest.pth a.safetensors --backbone b.safetensors

model.projection of FeatureMatching names the first, in a config that then needs no checkpoint, and
model.backbone.weights the backbone's, with frozen=True.
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
    """Write them."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('checkpoint', type=Path, help='of a config of the model LearnedMatching')
    parser.add_argument('out', type=Path, help='file to write, .safetensors')
    parser.add_argument(
        '--backbone', type=Path, help="file for the backbone's weights, in half precision"
    )
    args = parser.parse_args()
    for file in filter(None, (args.out, args.backbone)):
        if file.suffix != '.safetensors':
            parser.error(f'{file}: name a file that ends in .safetensors')
    if args.backbone == args.out:
        parser.error("--backbone: name another file than the projection's")
    weights = state_dict_of(load_checkpoint_file(args.checkpoint))
    if 'projection' not in weights:
        raise CheckpointError(
            f'{args.checkpoint} holds no projection: name a checkpoint of LearnedMatching, such as '
            'configs/matching/learned_efficientnet_lite0_rendered.py trains'
        )
    prefix = 'backbone.'
    backbone = {n.removeprefix(prefix): v for n, v in weights.items() if n.startswith(prefix)}
    if args.backbone and not backbone:
        raise CheckpointError(f'{args.checkpoint} holds no backbone, as a frozen one is not kept')
    from safetensors.torch import save_file

    files = {args.out: {'projection': weights['projection'].contiguous()}}
    if args.backbone:
        files[args.backbone] = {  # what batch norms hold stays as it is
            name: (value.half() if value.dim() > 1 else value).contiguous()
            for name, value in backbone.items()
        }
    for file, content in files.items():
        with atomic_path(file) as scratch:
            save_file(content, scratch)
        print(f'{file}: {file.stat().st_size / 1e6:.1f} MB')


if __name__ == '__main__':
    run(main)
