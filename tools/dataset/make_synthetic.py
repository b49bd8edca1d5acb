#!/usr/bin/env python3
"""Makes SynthPose, a procedural data set in MP-100's form.

Example:
    python tools/dataset/make_synthetic.py data/synthpose
"""

import argparse
import time

from fmmp.datasets.synthpose import write_synthpose  # not found? bash install.sh

from fmmp.cli import Progress, run


def parse_args() -> argparse.Namespace:
    """Reads the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__.splitlines()[0], formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument('out_dir', help='folder to make: unified.json and images/')
    parser.add_argument('--seed', type=int, default=0, help='everything follows from it')
    parser.add_argument(
        '--categories',
        type=int,
        default=60,
        help='1-42 train, 43-48 validate, 49-60 test, further ones train',
    )
    parser.add_argument('--instances', type=int, default=40, help='images of each category')
    parser.add_argument('--size', type=int, default=256, help='width and height in pixels')
    parser.add_argument('--workers', type=int, default=2, help='processes that draw')
    return parser.parse_args()


def main() -> None:
    """Makes the data set, showing progress."""
    args = parse_args()
    start = time.monotonic()
    if write_synthpose(**vars(args), progress=Progress('categories')):
        count = args.categories * args.instances
        print(f'{args.out_dir}: {count} images in {time.monotonic() - start:.0f} s')
    else:
        print(f'{args.out_dir} holds this data set already')


if __name__ == '__main__':
    run(main)
