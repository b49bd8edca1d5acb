#!/usr/bin/env python3
"""Make MP-100, or data of your own in its form, ready: one subcommand a step."""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # a clone works uninstalled

from fmmp.datasets.mp100.files import write_json
from fmmp.datasets.mp100.links import read_links
from fmmp.datasets.mp100.unify import find_annotation_files, unify
from fmmp.datasets.mp100.unify import format_report as format_unify


def run_unify(args: argparse.Namespace) -> tuple[str, dict, int]:
    """Merge annotation files; returns the text, the report and the exit code."""
    files = []
    for path in map(Path, args.annotations):
        files += find_annotation_files(path, but=args.out) if path.is_dir() else [path]
    links = read_links(args.links) if args.links else None
    content, report = unify(files, links, args.infer_links)
    if not args.dry_run:
        write_json(args.out, content)
    return format_unify(report), report, 0


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    commands = parser.add_subparsers(dest='command', required=True, metavar='COMMAND')

    def command(name: str, run: object, text: str, writes: bool = True) -> argparse.ArgumentParser:
        sub = commands.add_parser(name, help=text, description=text)
        sub.set_defaults(run=run)
        sub.add_argument('--json', metavar='FILE', help='write the report as JSON, too')
        if writes:
            sub.add_argument('--dry-run', action='store_true', help='report only, write nothing')
        return sub

    sub = command('unify', run_unify, 'merge and repair annotation files')
    sub.add_argument('annotations', nargs='+', help='folder of annotation files, or files')
    sub.add_argument('--out', required=True, help='the unified annotation file to write')
    sub.add_argument('--links', metavar='FILE', help='links by category, for empty skeletons')
    sub.add_argument(
        '--infer-links', action='store_true', help='links from the mean shape, where still empty'
    )
    return parser.parse_args()


def main() -> None:
    """Run the step, print its report, and write it as JSON if asked to."""
    args = parse_args()
    try:
        text, report, code = args.run(args)
        print(text)
        if args.json:
            write_json(args.json, report, indent=1)
    except (OSError, ValueError) as error:
        sys.exit(f'error: {error}')
    sys.exit(code)


if __name__ == '__main__':
    main()
