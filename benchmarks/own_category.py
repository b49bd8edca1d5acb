"""What ten annotated pictures of a category are worth: one as a shot, all as shots, fine-tuning.

Ten pictures are drawn, and the method is measured on all others, inside their boxes: with one shot,
the mean of the first three of the ten, and with the ten. It prints mPCK, the mean over PCK at 0.05,
0.1, 0.15 and 0.2 of the box's longer side, over the keypoints that a picture and one of its shots
show, the mean over the pictures.

    python benchmarks/own_category.py unified.json images/                  # of the starter
    python benchmarks/own_category.py unified.json images/ CONFIG CHECKPOINT [--tune DIR]

``--tune`` then trains the checkpoint further on the ten, as tools/finetune.py does, and measures
again; the pictures and the training are in DIR.
"""

from __future__ import annotations

import argparse
import json
import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from corrections import remember_features
from fmmp.datasets.annotations import Instance, load_annotations  # bash install.sh
from fmmp.datasets.metrics import THRESHOLDS
from torch import nn

from fmmp.apis import Estimator, Support, init_model, train
from fmmp.apis.finetuning import finetuning_config
from fmmp.apis.settings.reading import read_file
from fmmp.apis.starter import starter_config
from fmmp.cli import run
from fmmp.errors import InputError
from fmmp.memory import keep_freed_memory

SHOTS, CHOICES = 10, 3
Links = Sequence[tuple[int, int]]


def as_support(instance: Instance, skeleton: Links, folder: Path) -> Support:
    """An annotated instance as a shot."""
    image = folder / instance.image
    keypoints = instance.keypoints.astype(float)
    return Support(image, keypoints, instance.visible, skeleton, instance.box)


def mean_pck(model: nn.Module, shots: Sequence[Support], others: Sequence[Support]) -> float:
    """The mPCK in a hundred of what is found in other pictures."""
    shown = np.any([shot.visible for shot in shots], axis=0)
    poses = Estimator(model, shots)([one.image for one in others], [one.box for one in others])
    scores = []
    for pose, truth in zip(poses, others, strict=True):
        error = np.linalg.norm(pose.keypoints - truth.keypoints, axis=1) / max(truth.box[2:])
        error = error[shown & truth.visible]
        if len(error):
            scores.append(np.mean([error < threshold for threshold in THRESHOLDS]))
    return 100 * float(np.mean(scores))


def measure(model: nn.Module, ten: Sequence[Support], others: Sequence[Support]) -> str:
    """Both figures of a method."""
    remember_features(model)
    one = np.mean([mean_pck(model, [shot], others) for shot in ten[:CHOICES]])
    return f'1 shot {one:5.1f}   {SHOTS} shots {mean_pck(model, ten, others):5.1f}'


def write_pictures(shots: Sequence[Support], folder: Path) -> list[Path]:
    """Copies of annotated pictures with their keypoint files beside them."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for number, shot in enumerate(shots):
        paths.append(folder / f'{number}{shot.image.suffix}')
        shutil.copyfile(shot.image, paths[-1])
        points = [
            point if shows else None
            for point, shows in zip(shot.keypoints.tolist(), shot.visible, strict=True)
        ]
        content = {'keypoints': points, 'skeleton': shot.skeleton, 'bbox': [*map(float, shot.box)]}
        paths[-1].with_suffix('.json').write_text(json.dumps(content, default=int))
    return paths


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('ann_file', help='annotations of one category, as in the unified file')
    parser.add_argument('img_prefix', type=Path, help='folder of the images')
    parser.add_argument('config', nargs='?', help="a method's config [the starter's]")
    parser.add_argument('checkpoint', nargs='?', help='its checkpoint')
    parser.add_argument('--tune', metavar='DIR', type=Path, help='fine-tune it there, too')
    parser.add_argument('--seed', type=int, default=0, help='of the ten and the training [0]')
    args = parser.parse_args()
    if args.tune and not args.checkpoint:
        parser.error('--tune: name a CONFIG and a CHECKPOINT to start from')
    return args


def main() -> None:
    """Draw, measure, fine-tune, measure."""
    args = parse_args()
    keep_freed_memory()
    categories, instances = load_annotations(args.ann_file, allow_empty_skeleton=True)
    if len(categories) > 1 or len(instances) <= SHOTS:
        raise InputError(
            f'{args.ann_file}: {len(categories)} categories and {len(instances)} instances: '
            f'give one category with more than {SHOTS}'
        )
    (category,) = categories.values()
    order = np.random.default_rng(args.seed).permutation([*instances])
    supports = [as_support(instances[n], category.skeleton, args.img_prefix) for n in order]
    ten, others = supports[:SHOTS], supports[SHOTS:]
    config = read_file(args.config) if args.config else starter_config()
    model = init_model(config, args.checkpoint)
    print(f'{measure(model, ten, others)}   of {len(others)} pictures', flush=True)
    if args.tune:
        pictures = write_pictures(ten, args.tune / 'pictures')
        tuned = finetuning_config(config, args.checkpoint, pictures, args.tune)
        train(tuned, seed=args.seed, validate=False)
        model = init_model(config, args.tune / 'latest.pth')
        print(f'{measure(model, ten, others)}   fine-tuned')


if __name__ == '__main__':
    run(main)
