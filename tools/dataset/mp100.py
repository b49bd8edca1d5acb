#!/usr/bin/env python3
"""Make MP-100, or data of your own in its form, ready: one subcommand a step."""

import argparse
import sys
from pathlib import Path

from fmmp.datasets.mp100.building import link  # not found? bash install.sh
from fmmp.datasets.mp100.check import all_run, check
from fmmp.datasets.mp100.check import format_report as format_check
from fmmp.datasets.mp100.convert import convert
from fmmp.datasets.mp100.convert import format_report as format_convert
from fmmp.datasets.mp100.links import read_links
from fmmp.datasets.mp100.local_copies import read_sources, write_template
from fmmp.datasets.mp100.prepare import format_report as format_prepare
from fmmp.datasets.mp100.prepare import prepare
from fmmp.datasets.mp100.show import draw_sheet, find_instances, sheet_name
from fmmp.datasets.mp100.shrink import format_report as format_shrink
from fmmp.datasets.mp100.shrink import shrink
from fmmp.datasets.mp100.stats import draw_figure, stats, to_csv
from fmmp.datasets.mp100.stats import format_report as format_stats
from fmmp.datasets.mp100.unify import find_annotation_files, unify
from fmmp.datasets.mp100.unify import format_report as format_unify

from fmmp.cli import Progress, run
from fmmp.errors import InputError
from fmmp.files import atomic_path, require_writable, write_json
from fmmp.visualization import save_image


def run_unify(args: argparse.Namespace) -> tuple[str, dict, int]:
    """Merge annotation files; returns the text, the report and the exit code."""
    files = []
    for path in map(Path, args.annotations):
        files += find_annotation_files(path, but=args.unified_out) if path.is_dir() else [path]
    links = read_links(args.links) if args.links else None
    content, report = unify(files, links, args.infer_links)
    if not args.dry_run:
        write_json(content, args.unified_out)
    return format_unify(report), report, 0


def run_prepare(args: argparse.Namespace) -> tuple[str, dict, int]:
    """Build the image folders, or write a template of sources.yml."""
    if args.write_template:
        if not args.dry_run:
            write_template(args.sources)
        return f'{args.sources}: fill in where your copies lie', {}, 0
    if not args.out:
        raise InputError('prepare needs --out, the folder to build in')
    ann_file = args.annotations
    if ann_file is None and (default := Path(args.out, 'annotations/unified.json')).exists():
        ann_file = default
    report = prepare(read_sources(args.sources), args.out, ann_file, args.copy, args.dry_run)
    return format_prepare(report), report, 0


def run_check(args: argparse.Namespace) -> tuple[str, dict, int]:
    """Examine a unified file and its images."""
    report, usable = check(
        args.unified, args.images, args.shots, args.queries, args.workers, Progress('images')
    )
    text = format_check(report)
    if args.write_usable and not args.dry_run:
        write_json(usable, args.write_usable)
        text += f'\n{args.write_usable}: {len(usable["annotations"])} usable annotations'
    return text, report, 0 if all_run(report, on_usable=bool(args.write_usable)) else 1


def run_shrink(args: argparse.Namespace) -> tuple[str, dict, int]:
    """Write a copy of a data set no larger than crops need it."""
    report = shrink(
        args.unified,
        args.images,
        args.out,
        args.side,
        args.kind,
        args.quality,
        args.workers,
        Progress('images'),
        args.dry_run,
    )
    return format_shrink(report), report, 0


def run_stats(args: argparse.Namespace) -> tuple[str, dict, int]:
    """Count what a unified file holds."""
    report = stats(args.unified)
    if not args.dry_run:
        if args.csv:
            with atomic_path(args.csv) as scratch:
                scratch.write_text(to_csv(report), encoding='utf-8')
        if args.figure:
            with atomic_path(args.figure) as scratch:
                scratch.write_bytes(draw_figure(report))
    return format_stats(report), report, 0


def run_show(args: argparse.Namespace) -> tuple[str, dict, int]:
    """Draw a sheet for each category or image."""
    categories, found = find_instances(args.unified, args.targets, args.count)
    sheets = {target: str(Path(args.out, sheet_name(target))) for target in found}
    for target, instances in found.items():
        sheet = draw_sheet(instances, categories, args.images)
        if not args.dry_run:
            save_image(sheets[target], sheet)
    lines = [f'{file}: {len(found[target])} instances' for target, file in sheets.items()]
    return '\n'.join(lines), {'sheets': sheets}, 0


def run_convert(args: argparse.Namespace) -> tuple[str, dict, int]:
    """Make new categories of annotations of one's own, and link their images."""
    links = read_links(args.links) if args.links else None
    content, folders, report = convert(
        args.inputs, args.add_to, args.images_from, links, args.infer_links
    )
    targets = {name: Path(args.images, name) for name in folders}
    if not args.dry_run:
        for name, folder in folders.items():
            if link(targets[name], folder) == 'in_the_way':
                raise FileExistsError(f'{targets[name]} is there and no link: move it away first')
        write_json(content, args.unified_out)
    lines = [f'{targets[name]} -> {folder}' for name, folder in folders.items()]
    return '\n'.join([format_convert(report), *lines]), report, 0


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    commands = parser.add_subparsers(dest='command', required=True, metavar='COMMAND')

    def command(name: str, step: object, text: str) -> argparse.ArgumentParser:
        sub = commands.add_parser(name, help=text, description=text)
        sub.set_defaults(step=step)
        sub.add_argument('--json', metavar='FILE', help='write the report as JSON, too')
        sub.add_argument('--dry-run', action='store_true', help='report only, write nothing')
        return sub

    def add_links(sub: argparse.ArgumentParser) -> None:
        sub.add_argument('--links', metavar='FILE', help='links by category, for empty skeletons')
        sub.add_argument(
            '--infer-links', action='store_true', help='links from the mean shape, if still empty'
        )

    sub = command('unify', run_unify, 'merge and repair annotation files')
    sub.add_argument('annotations', nargs='+', help='folder of annotation files, or files')
    sub.add_argument('--out', dest='unified_out', required=True, help='the file to write')
    add_links(sub)

    sub = command('prepare', run_prepare, "build the 100 image folders from the sources' copies")
    sub.add_argument('--sources', required=True, metavar='YML', help='where the copies lie')
    sub.add_argument('--write-template', action='store_true', help='write YML to be filled in')
    sub.add_argument('--out', metavar='FOLDER', help='folder to build in, such as data/mp100')
    sub.add_argument('--annotations', help='unified file [OUT/annotations/unified.json, if there]')
    sub.add_argument('--copy', action='store_true', help='copy the annotated images, do not link')

    sub = command('check', run_check, 'examine a unified file and its images; 1 if a split fails')
    sub.add_argument('unified', help='unified annotation file')
    sub.add_argument('--images', required=True, help='the image folder')
    sub.add_argument('--shots', type=int, default=1, help='supports an episode [1]')
    sub.add_argument('--queries', type=int, default=15, help='queries of a test episode [15]')
    sub.add_argument('--write-usable', metavar='FILE', help='write a file of what is usable')
    sub.add_argument('--workers', type=int, help='threads that read images [processors]')

    sub = command('shrink', run_shrink, 'write a copy no larger than crops need it')
    sub.add_argument('unified', help='unified annotation file')
    sub.add_argument('--images', required=True, help='the image folder')
    sub.add_argument('--out', required=True, metavar='FOLDER', help='folder of the copy')
    sub.add_argument('--side', type=int, default=304, help="pixels of an object's crop [304]")
    kind = sub.add_mutually_exclusive_group()
    kind.add_argument('--quality', type=int, default=90, help='of JPEG [90]')
    lossless = {'action': 'store_const', 'dest': 'kind', 'default': 'jpg'}
    kind.add_argument('--png', **lossless, const='png', help='write PNG, without loss')
    kind.add_argument('--bmp', **lossless, const='bmp', help='write BMP, the fastest to read')
    sub.add_argument('--workers', type=int, help='threads [processors]')

    sub = command('stats', run_stats, 'count categories, instances, keypoints and links')
    sub.add_argument('unified', help='unified annotation file')
    sub.add_argument('--csv', metavar='FILE', help='write the table as CSV')
    sub.add_argument('--figure', metavar='FILE', help='draw a figure, a PNG')

    sub = command('show', run_show, 'draw instances with keypoints, links, crop and padding')
    sub.add_argument('unified', help='unified annotation file')
    sub.add_argument('targets', nargs='+', help='categories (name or id) or images (file_name)')
    sub.add_argument('--images', required=True, help='the image folder')
    sub.add_argument('--out', default='sheets', help='folder of the sheets, PNG [sheets]')
    sub.add_argument('--count', type=int, default=4, help='instances of a category [4]')

    sub = command('convert', run_convert, 'make new categories of COCO keypoints or labelme')
    sub.add_argument('inputs', nargs='+', help='COCO files, or folders of labelme files')
    sub.add_argument('--out', dest='unified_out', required=True, help='the file to write')
    sub.add_argument('--images', required=True, help='image folder, to link the images into')
    sub.add_argument('--images-from', metavar='FOLDER', help='where they lie [beside the inputs]')
    sub.add_argument('--add-to', metavar='UNIFIED', help='unified file that they join')
    add_links(sub)
    return parser.parse_args()


def main() -> None:
    """Run the step, print its report, and write it as JSON if asked to."""
    args = parse_args()
    outputs = ('json', 'unified_out', 'write_usable', 'csv', 'figure')
    for path in filter(None, (getattr(args, name, None) for name in outputs)):
        require_writable(path)
    text, report, code = args.step(args)
    print(text)
    if args.json:
        write_json(report, args.json)
    sys.exit(code)


if __name__ == '__main__':
    run(main)
