#!/usr/bin/env python3
"""Export a model: ONNX networks, the same by torch.export, and a script that runs the former.

Examples:
    python tools/export.py CONFIG CHECKPOINT --out exported
    python tools/export.py starter --out exported
    python exported/run_onnx.py --support cat.jpg --keypoints cat.json --queries lion.jpg

The script needs numpy, onnxruntime and OpenCV alone. See docs/export.md.
"""

import argparse

from fmmp.apis import (  # not found? bash install.sh
    add_config_arguments,
    init_model,
    read_config,
    run,
)
from fmmp.apis.starter import STARTER, require_checkpoint, resolve
from fmmp.export.exporting import export, require_packages
from fmmp.files import require_writable


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add_config_arguments(parser, needs_config=False)
    parser.add_argument(
        'checkpoint', nargs='?', help="ours, one of the authors' release, or `starter`"
    )
    parser.add_argument('--out', required=True, help='folder for the networks and the script')
    args = parser.parse_args()
    if args.config == STARTER:
        args.config = None
    return args


def main() -> None:
    """Export, and say what came of it."""
    args = parse_args()
    require_packages()
    require_writable(f'{args.out}/model.json')
    config, checkpoint = resolve(read_config(args), args.checkpoint)
    require_checkpoint(config, checkpoint)
    exported = export(init_model(config, checkpoint), args.out)
    print(
        f'{exported["method"]} is in {args.out}, the same as the model to '
        f'{exported["difference"]:.0e} of the crop; may differ from call to call: the numbers of '
        f'{", ".join(exported["dynamic"])}'
    )


if __name__ == '__main__':
    run(main)
