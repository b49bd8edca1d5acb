"""How many keypoints need no correction in the page, by the number of pictures corrected before.

For each category of an annotation file: one picture is labelled, and its keypoints are predicted in
all others. Then some of these are corrected, the least confident first, and become further shots;
the rest is predicted again. The corrections are the truth. It prints, over the pictures that are
left, the share of keypoints that need none, an error below 0.1 of the longer side of the object's
box; a keypoint that no shot shows needs one. Three figures a number of corrected pictures:

    again     predicted again, after the least confident were corrected
    before    what the same pictures had before: they were the surer ones
    random    predicted again, after as many pictures taken at random were corrected

    python benchmarks/corrections.py unified.json images/ [--corrected 0 1 3 5] [--boxes]

The first picture is one of those that show the most keypoints. ``--boxes`` predicts inside the
objects' boxes; without, in whole pictures, as the page does unless boxes are drawn.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from fmmp.datasets.annotations import Category, Instance, load_annotations  # bash install.sh
from torch import nn

from fmmp.apis import Estimator, Support, init_model
from fmmp.apis.starter import starter_config
from fmmp.memory import keep_freed_memory

TOLERANCE = 0.1
COLUMNS = ('again', 'before', 'random')


class Pictures:
    """A category's pictures, the method, and what it finds in them.

    Args:
        model: the method.
        category: says how the keypoints are linked.
        instances: the labelled pictures.
        folder: of the images.
        boxes: whether to predict inside the objects' boxes.
    """

    def __init__(
        self,
        model: nn.Module,
        category: Category,
        instances: Sequence[Instance],
        folder: Path,
        boxes: bool,
    ) -> None:
        self.model, self.category, self.instances = model, category, instances
        self.paths = [folder / instance.image for instance in instances]
        self.boxes = [instance.box if boxes else None for instance in instances]

    def starts(self, count: int) -> list[int]:
        """Pictures to begin with, of those with the most keypoints."""
        seen = np.array([instance.visible.sum() for instance in self.instances])
        best = np.flatnonzero(seen == seen.max())
        return np.random.default_rng(0).permutation(best)[:count].tolist()

    def predict(self, shots: Sequence[int], rest: Sequence[int]) -> tuple[dict, dict]:
        """Whether each labelled keypoint of the rest is right, and how sure the method is."""
        supports = [
            Support(
                self.paths[shot],
                self.instances[shot].keypoints.astype(float),
                self.instances[shot].visible,
                self.category.skeleton,
                self.boxes[shot],
            )
            for shot in shots
        ]
        found = np.any([support.visible for support in supports], axis=0)
        estimator = Estimator(self.model, supports, second_look=True)
        poses = estimator([self.paths[n] for n in rest], [self.boxes[n] for n in rest])
        right, sure = {}, {}
        for number, pose in zip(rest, poses, strict=True):
            truth = self.instances[number]
            error = np.linalg.norm(pose.keypoints - truth.keypoints, axis=1)
            is_right = found & (error < TOLERANCE * max(truth.box[2:]))
            right[number] = is_right[truth.visible]
            sure[number] = pose.confidence[found].mean()
        return right, sure

    def correct(self, start: int, counts: Sequence[int]) -> dict[int, list[float]]:
        """The three shares by the number of corrected pictures."""
        others = [number for number in range(len(self.instances)) if number != start]
        first, sure = self.predict([start], others)
        by_doubt = sorted(others, key=lambda number: sure[number])
        by_chance = np.random.default_rng(start).permutation(others).tolist()
        shares = {}
        for count in counts:
            if count >= len(others):
                continue
            rest = by_doubt[count:]
            shares[count] = [
                share(self.predict([start, *by_doubt[:count]], rest)[0], rest),
                share(first, rest),
                share(self.predict([start, *by_chance[:count]], by_chance[count:])[0], others),
            ]
        return shares


def remember_features(model: nn.Module) -> None:
    """Let a model keep the features of each crop, which many sets of shots are matched with."""
    compute, known = model.image_features, {}

    def image_features(imgs: torch.Tensor) -> list[torch.Tensor]:
        keys = [img.numpy().tobytes() for img in imgs]
        for key, img in zip(keys, imgs, strict=True):
            if key not in known:
                known[key] = compute(img[None])
        return [torch.cat(maps) for maps in zip(*(known[key] for key in keys), strict=True)]

    model.image_features = image_features


def share(right: dict[int, np.ndarray], numbers: Sequence[int]) -> float:
    """The share of right keypoints in those of the pictures that are there."""
    return float(np.concatenate([right[number] for number in numbers if number in right]).mean())


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('ann_file', help='annotations in the form of the unified file')
    parser.add_argument('img_prefix', type=Path, help='folder of the images')
    parser.add_argument('--corrected', type=int, nargs='+', default=[0, 1, 3, 5])
    parser.add_argument('--starts', type=int, default=5, help='first pictures a category [5]')
    parser.add_argument('--boxes', action='store_true', help="predict inside the objects' boxes")
    parser.add_argument('--config', help="a method's config [the starter's]")
    parser.add_argument('--checkpoint', help='its checkpoint')
    return parser.parse_args()


def main() -> None:
    """Simulate and print."""
    args = parse_args()
    keep_freed_memory()
    categories, instances = load_annotations(args.ann_file, allow_empty_skeleton=True)
    model = init_model(args.config or starter_config(), args.checkpoint)
    remember_features(model)
    rows: dict[int, list[list[float]]] = {}
    for category in categories.values():
        members = [one for one in instances.values() if one.category_id == category.id]
        pictures = Pictures(model, category, members, args.img_prefix, args.boxes)
        of_category: dict[int, list[list[float]]] = {}
        for start in pictures.starts(args.starts):
            for count, shares in pictures.correct(start, args.corrected).items():
                of_category.setdefault(count, []).append(shares)
        for count, shares in of_category.items():
            rows.setdefault(count, []).append(np.mean(shares, axis=0).tolist())
            print(f'{category.name:<24}{len(members):>4} pictures{line(count, shares)}', flush=True)
    for count, shares in rows.items():
        print(f'mean of {len(shares):>2} categories             {line(count, shares)}')


def line(count: int, shares: Sequence[Sequence[float]]) -> str:
    """A line of the table."""
    values = 100 * np.mean(shares, axis=0)
    return f'{count:>4} corrected: ' + '  '.join(
        f'{name} {value:5.1f}' for name, value in zip(COLUMNS, values, strict=True)
    )


if __name__ == '__main__':
    main()
