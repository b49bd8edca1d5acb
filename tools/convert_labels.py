#!/usr/bin/env python3
"""Convert keypoints between the formats of labelling tools.

Examples:
    python tools/convert_labels.py annotations.xml cats.json --to coco
    python tools/convert_labels.py cats.json cats_yolo --to ultralytics --images pictures
"""

import argparse
import inspect

from fmmp.cli import run  # not found? bash install.sh
from fmmp.errors import InputError
from fmmp.formats import FORMATS, read, recognise, write
from fmmp.formats.files import module_of


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    formats = '\n'.join(f'  {name:<14}{text}' for name, text in FORMATS.items())
    parser = argparse.ArgumentParser(
        description=__doc__,
        epilog=f'formats:\n{formats}',
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument('source', help='file, or folder of labelme or Ultralytics')
    parser.add_argument('target', help='file, or folder of labelme or Ultralytics')
    parser.add_argument('--to', required=True, choices=FORMATS, metavar='FORMAT')
    parser.add_argument('--format', choices=FORMATS, help="the source's [told by its content]")
    parser.add_argument('--category', help='the one to convert, where the source has several')
    parser.add_argument('--images', help='folder of the images, where a format needs them')
    parser.add_argument('--annotations', help='COCO file that COCO results refer to')
    return parser.parse_args()


def main() -> None:
    """Read, write, and say what was written."""
    args = parse_args()
    source = args.format or recognise(args.source)
    steps = module_of(source).read, module_of(args.to).write
    options = [
        {name: value for name, value in vars(args).items() if value and name in parameters}
        for parameters in (inspect.signature(step).parameters.keys() - {'path'} for step in steps)
    ]
    for name in ('category', 'images', 'annotations'):
        if getattr(args, name) and not any(name in known for known in options):
            raise InputError(f'--{name} is of no use from {source} to {args.to}')
    labels = read(args.source, source, **options[0])
    if not labels.items:
        raise InputError(f'{args.source}: no object in it, so nothing is written')
    write(labels, args.target, args.to, **options[1])
    print(
        f'{args.target}: {len(labels.items)} objects of {labels.category!r} in '
        f'{len(labels.images())} images, {len(labels.names)} keypoints'
    )


if __name__ == '__main__':
    run(main)
