#!/usr/bin/env python3
"""Find the keypoints of one or a few annotated images in many images, or in a film.

Examples:
    python tools/estimate.py cat.jpg pictures/ --out found
    python tools/estimate.py cat_1.jpg cat_2.jpg list.txt --out found --model CONFIG CHECKPOINT
    python tools/estimate.py cat.jpg film.mp4 --out found --track
    torchrun --nproc_per_node 2 tools/estimate.py cat.jpg pictures/ --out found --launcher pytorch

An annotated image has its keypoint file beside it, cat.json; see docs/estimate.md. What has been
cut short goes on when the same command is given again.
"""

import argparse
from pathlib import Path

from fmmp.apis import Estimator, init_distributed, init_model, read_support, run  # bash install.sh
from fmmp.apis.distributed import LAUNCHERS, is_first_process
from fmmp.apis.films import SUFFIXES, estimate_film
from fmmp.apis.many_images import describe_estimation, estimate_many, list_images
from fmmp.apis.settings.reading import Options, read_file
from fmmp.apis.starter import STARTER, require_checkpoint, resolve, starter_file
from fmmp.errors import InputError
from fmmp.files import require_writable


def box(text: str) -> tuple[float, ...]:
    """Read ``x,y,w,h``."""
    x, y, w, h = map(float, text.split(','))
    return x, y, w, h


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('supports', nargs='+', metavar='SUPPORT', help='annotated images')
    parser.add_argument(
        'source', help='a folder, a list (a path a line; or .jsonl), an image or a film'
    )
    parser.add_argument('--out', required=True, help='folder for poses.jsonl')
    parser.add_argument(
        '--model', nargs=2, metavar=('CONFIG', 'CHECKPOINT'), help='a trained one [the starter]'
    )
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action=Options,
        default={},
        metavar='KEY=VALUE',
        help="settings in place of the config's",
    )
    parser.add_argument('--batch-size', type=int, default=16, help='images at once [16]')
    parser.add_argument('--box', type=box, metavar='X,Y,W,H', help="of a film's object")
    parser.add_argument(
        '--second-look',
        action='store_true',
        help='where there is no box, look again around what was found, in twice the time',
    )
    parser.add_argument('--track', action='store_true', help='follow the object through a film')
    parser.add_argument('--gpu-id', type=int, default=0, help='GPU of a single process [0]')
    parser.add_argument(
        '--launcher', choices=LAUNCHERS, default='none', help='what started several processes'
    )
    parser.add_argument('--local_rank', '--local-rank', type=int, help=argparse.SUPPRESS)
    return parser.parse_args()


def main() -> None:
    """Estimate."""
    args = parse_args()
    is_film = args.source.lower().endswith(SUFFIXES)
    if is_film and args.launcher != 'none':
        raise InputError('a film is for one process: leave out --launcher')
    if not is_film and (args.track or args.box):
        raise InputError(f'{args.source} is no film: leave out --track and --box')
    require_writable(Path(args.out) / 'poses.jsonl')
    supports = [read_support(path, Path(path).with_suffix('.json')) for path in args.supports]
    jobs = None if is_film else list_images(args.source)
    device = init_distributed(args.launcher, args.gpu_id)
    name, checkpoint = args.model or (str(starter_file()), STARTER)
    config, weights = resolve(read_file(name, args.cfg_options), checkpoint)
    require_checkpoint(config, weights)
    described = describe_estimation(supports, config, weights)
    described['second_look'] = args.second_look
    model = init_model(config, weights, device, for_testing=True)
    estimator = Estimator(model, supports, args.batch_size, args.second_look)
    if is_film:
        frames, film = estimate_film(
            estimator, args.source, args.out, described, supports, args.box, args.track
        )
        print(f'{frames} poses are in {args.out}/poses.jsonl, drawn in {film}')
        return
    poses, failed = estimate_many(estimator, jobs, args.out, described)
    if is_first_process():
        for line in failed:
            print(f'failed: {line}')
        print(f'{poses} poses are in {args.out}/poses.jsonl; {len(failed)} images failed')


if __name__ == '__main__':
    run(main)
