#!/usr/bin/env python3
"""Train a config's model."""

import argparse
from pathlib import Path

from fmmp.apis import (  # not found? bash install.sh
    add_arguments,
    init_distributed,
    read_config,
    run,
    train,
)


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    add_arguments(parser)
    parser.add_argument('--work-dir', help='for checkpoints and logs [work_dirs/CONFIG]')
    resume = parser.add_mutually_exclusive_group()
    resume.add_argument('--resume-from', help='checkpoint of a training to go on with')
    resume.add_argument(
        '--auto-resume',
        action='store_true',
        help="go on from the work directory's newest readable checkpoint, or start if it has none",
    )
    parser.add_argument(
        '--accept-changes',
        action='store_true',
        help="go on though the config's settings are not those that the training began with",
    )
    parser.add_argument('--no-validate', action='store_true', help='train only')
    parser.add_argument('--seed', type=int, help='of all random draws [drawn and logged]')
    parser.add_argument(
        '--autoscale-lr',
        action='store_true',
        help='scale the learning rate with the episodes a step',
    )
    parser.add_argument('--deterministic', action='store_true', help='deterministic algorithms')
    return parser.parse_args()


def main() -> None:
    """Train into the work directory."""
    args = parse_args()
    config = read_config(args)
    if args.resume_from:
        config.resume_from = args.resume_from
    if args.autoscale_lr:
        config.merge_from_dict({'auto_scale_lr.enable': True})
    if args.work_dir or not config.get('work_dir'):
        config.work_dir = args.work_dir or f'work_dirs/{Path(args.config).stem}'
    device = init_distributed(args.launcher, args.gpu_id)
    train(
        config,
        device,
        args.seed,
        args.deterministic,
        validate=not args.no_validate,
        auto_resume=args.auto_resume,
        accept_changes=args.accept_changes,
    )


if __name__ == '__main__':
    run(main)
