#!/usr/bin/env python3
"""Makes SynthPose 2: pictures of freely licensed three-dimensional models, in MP-100's form.

The models are those of Debian's packages 0ad-data, sweethome3d-furniture and flightgear-data-ai;
each may be left out. A run that was stopped goes on where it was.

    python tools/dataset/render.py data/rendered --fetch data/packages
    python tools/dataset/render.py data/rendered --zero-ad …/mods/public/public.zip \\
        --furniture …/sweethome3d/furniture --aircraft …/flightgear/AI --backgrounds …/wallpapers
"""

import argparse
import time
from pathlib import Path

from fmmp.datasets.synthpose.rendered.catalogue import Sources  # not found? bash install.sh
from fmmp.datasets.synthpose.rendered.fetching import fetch
from fmmp.datasets.synthpose.rendered.writing import write_rendered

from fmmp.cli import Progress, run


def parse_args() -> argparse.Namespace:
    """Reads the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('out_dir', help='folder to make: unified.json, images/, licences')
    parser.add_argument('--zero-ad', help="0 A.D.'s public.zip")
    parser.add_argument('--furniture', help="folder of Sweet Home 3D's *.sh3f")
    parser.add_argument('--aircraft', help="folder of FlightGear's AI/Aircraft/*/*.ac")
    parser.add_argument(
        '--backgrounds',
        nargs='+',
        default=[],
        help='folders of photographs [those that --fetch brings]',
    )
    parser.add_argument('--fetch', help='folder to download and unpack all packages in (2 GB)')
    parser.add_argument('--categories', type=int, help='draw so many [all]')
    parser.add_argument('--instances', type=int, default=40, help='pictures of each category [40]')
    parser.add_argument('--size', type=int, default=224, help='width and height in pixels [224]')
    parser.add_argument('--workers', type=int, default=2, help='processes that draw [2]')
    parser.add_argument('--seed', type=int, default=0, help='everything follows from it [0]')
    args = parser.parse_args()
    if args.fetch and (args.zero_ad or args.furniture or args.aircraft):
        parser.error('--fetch brings all models: leave out --zero-ad, --furniture and --aircraft')
    return args


def main() -> None:
    """Makes the data set, showing progress."""
    args = vars(parse_args())
    sources = Sources(args.pop('zero_ad'), args.pop('furniture'), args.pop('aircraft'))
    folder, out_dir, start = args.pop('fetch'), args['out_dir'], time.monotonic()
    if folder is not None:
        sources, photographs = fetch(Path(folder))
        args['backgrounds'] = args['backgrounds'] or photographs
    left_out = write_rendered(sources=sources, **args, progress=Progress('categories'))
    for line in left_out:
        print(f'left out: {line}')
    print(f'{out_dir}: complete after {time.monotonic() - start:.0f} s')


if __name__ == '__main__':
    run(main)
