#!/usr/bin/env python3
"""Find keypoints on photographs that installed packages hold, by the starter.

Of each kind one picture is annotated; its keypoints are looked for in three others: of another
person, or the same one turned, mirrored, darkened or closer, where the truth is known from that.
Hollow markers are the truth, crosses misses. The last column is the mPCK of copying.

    python tools/demo_photographs.py --out photographs.jpg
"""

import argparse
from collections.abc import Sequence

import cv2
import numpy as np
from fmmp.datasets.annotations import Instance  # not found? bash install.sh
from fmmp.datasets.metrics import copy_support, evaluate_pairs
from fmmp.datasets.photographs import Kind, View, read_photographs

from fmmp.apis import Support, estimate, init_model, run
from fmmp.apis.starter import starter_config
from fmmp.visualization import captioned, contact_sheet, draw_pose, draw_prediction, save_image

SHOWN = ('PCK@0.1', 'PCK@0.2', 'mPCK')


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('--out', default='photographs.jpg', help='the picture [photographs.jpg]')
    parser.add_argument('--panel-size', type=int, default=184, help='pixels a photograph [184]')
    return parser.parse_args()


def line(name: str, values: Sequence[str]) -> str:
    """A line of the table."""
    return f'{name:<14}' + ''.join(f'{value:>11}' for value in values)


def scores(views: list[View], found: list[np.ndarray]) -> tuple[dict, dict]:
    """Metrics of each view after the first: of what was found, and of copying the first."""
    instances = {
        number: Instance(number, 1, '', view.box, view.keypoints.astype(np.float32), view.visible)
        for number, view in enumerate(views)
    }
    pairs = [[0, number] for number in range(1, len(views))]
    copied = copy_support(pairs, instances)
    return evaluate_pairs(pairs, found, instances), evaluate_pairs(pairs, copied, instances)


def draw(kind: Kind, found: list[np.ndarray], pck: np.ndarray, size: int) -> list[np.ndarray]:
    """A kind's row of panels: the annotated photograph, then what was found in the others."""
    panels = []
    for number, view in enumerate(kind.views):
        scale = size / len(view.image)
        image = cv2.resize(view.image, (size, size), interpolation=cv2.INTER_AREA)
        if number == 0:
            picture = draw_pose(image, scale * view.keypoints, view.visible, kind.skeleton)
            caption = f'{kind.name}: annotated'
        else:
            prediction, seen = scale * found[number - 1], kind.views[0].visible & view.visible
            tolerance = 0.2 * scale * max(view.box[2:])
            picture = draw_prediction(
                image, prediction, scale * view.keypoints, seen, kind.skeleton, seen, tolerance
            )
            caption = f'{kind.changes[number]}: PCK@0.2 {100 * pck[number - 1]:.0f}'
        panels.append(captioned(picture, caption))
    return panels


def main() -> None:
    """Find, score, draw."""
    args = parse_args()
    model = init_model(starter_config())
    panels, rows = [], []
    print(line('', [*SHOWN, 'by copying']))
    kinds = read_photographs()
    for kind in kinds:
        first, *others = kind.views
        support = Support(first.image, first.keypoints, first.visible, (), first.box)
        found = estimate(model, [support], [v.image for v in others], [v.box for v in others])
        ours, copied = scores(kind.views, found)
        rows.append([ours[name].mean() for name in SHOWN] + [copied['mPCK'].mean()])
        print(line(kind.name, [f'{100 * value:.1f}' for value in rows[-1]]))
        panels += draw(kind, found, ours['PCK@0.2'], args.panel_size)
    print(line('all', [f'{100 * value:.1f}' for value in np.mean(rows, axis=0)]))
    save_image(args.out, contact_sheet(panels, columns=4))
    print(f'photographs: {"; ".join(source for kind in kinds for source in kind.sources)}')
    print(f'what was found in them is on {args.out}')


if __name__ == '__main__':
    run(main)
