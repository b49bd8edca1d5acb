#!/usr/bin/env python3
"""Count a config's parameters and floating-point operations by part, for a pair and an episode.

python tools/analysis/complexity.py CONFIG --size 256 384
"""

import argparse
import sys

sys.path.pop(0)  # this folder, whose profile.py is not the standard library's
from fmmp.analysis.complexity import (  # not found? bash install.sh
    complexity,
    format_complexity,
    to_json,
)
from fmmp.apis import add_config_arguments, read_config, run
from fmmp.files import require_writable, write_json


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add_config_arguments(parser)
    parser.add_argument(
        '--size', type=int, nargs='+', default=[None], help="sides of the images [the config's]"
    )
    parser.add_argument('--queries', type=int, help="queries of a test episode [the config's]")
    parser.add_argument('--json', help='JSON file for the counts')
    return parser.parse_args()


def main() -> None:
    """Count, print, write."""
    args = parse_args()
    if args.json:
        require_writable(args.json)
    config = read_config(args)
    found = [complexity(config, size, args.queries) for size in args.size]
    print(format_complexity(found))
    if args.json:
        write_json(to_json(found), args.json)


if __name__ == '__main__':
    run(main)
