#!/usr/bin/env python3
"""Find a support image's keypoints in other images of the same category.

Examples:
    python tools/demo.py --support cat.jpg --keypoints cat.json --queries lion.jpg tiger.jpg
    python tools/demo.py CONFIG CHECKPOINT --support cat.jpg --keypoints cat.json \\
        --queries lion.jpg tiger.jpg --out-dir pictures

Without a config and a checkpoint, the starter finds them, which needs no training of yours.
"""

import argparse
from pathlib import Path

import numpy as np

from fmmp.apis import (  # not found? bash install.sh
    Estimator,
    add_arguments,
    init_distributed,
    init_model,
    read_config,
    read_image,
    read_support,
    run,
)
from fmmp.apis.starter import require_checkpoint, resolve
from fmmp.errors import InputError
from fmmp.files import write_json
from fmmp.visualization import draw_episode, save_image


def box(text: str) -> tuple[float, ...]:
    """Read ``x,y,w,h``."""
    x, y, w, h = map(float, text.split(','))
    return x, y, w, h


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add_arguments(parser, needs_config=False, launched=False)
    parser.add_argument(
        'checkpoint', nargs='?', help="ours, one of the authors' release, or `starter`"
    )
    parser.add_argument('--support', required=True, help='annotated image')
    parser.add_argument(
        '--keypoints',
        required=True,
        help="its JSON file: 'keypoints' [[x, y], …] or COCO's [x, y, v, …], 'skeleton' "
        "[[i, j], …] counted from 0, which the starter can do without, and, if wanted, 'bbox' "
        '[x, y, w, h]',
    )
    parser.add_argument('--queries', required=True, nargs='+', help='images to find them in')
    parser.add_argument(
        '--boxes', type=box, nargs='+', metavar='X,Y,W,H', help='a box a query [the whole image]'
    )
    parser.add_argument(
        '--out-dir',
        default='demo',
        help='for a picture a query, and keypoints.json: null where the support shows none [demo]',
    )
    return parser.parse_args()


def main() -> None:
    """Estimate, draw, and write the keypoints."""
    args = parse_args()
    out_dir = Path(args.out_dir)
    if len(set(args.queries)) < len(args.queries):
        raise InputError('--queries: give each picture once, and other boxes another --out-dir')
    given = {Path(path).resolve() for path in (args.support, args.keypoints, *args.queries)}
    for name in ('keypoints.json', *(f'query_{n + 1}.png' for n in range(len(args.queries)))):
        if (out_dir / name).resolve() in given:
            raise InputError(f'{out_dir / name} would be overwritten: name another --out-dir')
    device = init_distributed(gpu_id=args.gpu_id)
    config, checkpoint = resolve(read_config(args), args.checkpoint)
    require_checkpoint(config, checkpoint)
    support = read_support(args.support, args.keypoints)
    images = [read_image(path) for path in args.queries]
    model = init_model(config, checkpoint, device, for_testing=True)
    poses = Estimator(model, [support])(images, args.boxes)
    shown = support.visible
    for number, (image, pose) in enumerate(zip(images, poses, strict=True)):
        sure = f'confidence {pose.confidence[shown].mean():.0%}'
        if not pose.calibrated:
            sure += ', not calibrated'
        picture = draw_episode(
            [support.image],
            [support.keypoints],
            image,
            pose.keypoints,
            support_visible=[support.visible],
            support_boxes=[support.box],
            query_box=args.boxes[number] if args.boxes else None,
            skeleton=support.skeleton,
            title=sure,
        )
        save_image(out_dir / f'query_{number + 1}.png', picture)
        least = int(np.where(shown, pose.confidence, 2).argmin())
        print(f'{args.queries[number]}: {sure}, least of keypoint {least}: '
              f'{pose.confidence[least]:.0%}')  # fmt: skip
    found = {
        path: [point if seen else None for point, seen in zip(points, shown, strict=True)]
        for path, points in zip(args.queries, (p.keypoints.tolist() for p in poses), strict=True)
    }
    write_json(found, out_dir / 'keypoints.json')
    print(f'{len(poses)} pictures and keypoints.json are in {out_dir}')


if __name__ == '__main__':
    run(main)
