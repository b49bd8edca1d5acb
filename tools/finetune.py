#!/usr/bin/env python3
"""Train a checkpoint further on a few annotated pictures of a category of one's own.

    python tools/finetune.py CONFIG CHECKPOINT cat_1.jpg cat_2.jpg cat_3.jpg --out cats
    python tools/estimate.py cat_1.jpg pictures/ --out found --model CONFIG cats/latest.pth

Each picture has its keypoint file beside it, cat_1.json; ten are a good number. See
docs/estimate.md.
"""

import argparse

from fmmp.apis import init_distributed, read_config, run, train  # not found? bash install.sh
from fmmp.apis.arguments import add_config_arguments
from fmmp.apis.finetuning import finetuning_config


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add_config_arguments(parser)
    parser.add_argument('checkpoint', help='where to start from')
    parser.add_argument('pictures', nargs='+', help='annotated images')
    parser.add_argument('--out', required=True, help='work directory, for latest.pth')
    parser.add_argument('--epochs', type=int, default=10, help='of 64 episodes each [10]')
    parser.add_argument('--lr', type=float, default=1e-4, help='learning rate [1e-4]')
    parser.add_argument('--seed', type=int, default=0, help='[0]')
    parser.add_argument('--gpu-id', type=int, default=0, help='GPU [0]')
    return parser.parse_args()


def main() -> None:
    """Train."""
    args = parse_args()
    config = finetuning_config(
        read_config(args), args.checkpoint, args.pictures, args.out, args.epochs, args.lr
    )
    train(config, init_distributed('none', args.gpu_id), seed=args.seed, validate=False)
    print(f'the model is {args.out}/latest.pth')


if __name__ == '__main__':
    run(main)
