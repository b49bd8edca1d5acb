"""Seconds that `Estimator` takes to be made and to answer, and what evidence adds; the starter's.

Images of noise of 640 × 480 pixels, 17 keypoints. Medians of turns that alternate, so that the
ratios hold whatever else the machine does:

    encode_1, encode_5   a new estimator of one support, and of five
    first                an image by an estimator that is there, from pixels to the pose
    image_16             an image, of 16 that pass together
    evidence             the share of an image's time that evidence and confidence take

    python benchmarks/estimator.py [--turns 9] [--json]

``--json`` prints one object as the last line.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable

import numpy as np
from fmmp.models.detectors import base  # not found? bash install.sh

from fmmp.apis import Estimator, Support, init_model
from fmmp.apis.starter import starter_config

KEYPOINTS = 17


def seconds(work: Callable[[], object]) -> float:
    """Wall-clock seconds of a call."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--turns', type=int, default=9)
    parser.add_argument('--json', action='store_true')
    args = parser.parse_args()
    rng = np.random.default_rng(0)
    images = [*rng.integers(0, 256, (16, 480, 640, 3), np.uint8)]
    points = rng.uniform(100, 400, (KEYPOINTS, 2))
    supports = [Support(image, points, np.ones(KEYPOINTS, bool), ()) for image in images[:5]]
    model = init_model(starter_config())
    estimator = Estimator(model, supports[:1])
    compare, nothing = base.compare, estimator(images[:1])[0].evidence
    nothing = {name: nothing[name] for name in ('similarity', 'there', 'back', 'margin')}

    def without_evidence() -> None:
        base.compare = lambda supports, features, answers: {
            name: answers.new_zeros(answers.shape[:-1]) for name in nothing
        }
        estimator(images)
        base.compare = compare

    works = {
        'encode_1': lambda: Estimator(model, supports[:1]).encoded('whole'),
        'encode_5': lambda: Estimator(model, supports).encoded('whole'),
        'first': lambda: estimator(images[:1]),
        'image_16': lambda: estimator(images),
        'without': without_evidence,
    }
    times = {name: [] for name in works}
    for _ in range(args.turns):
        for name, work in works.items():
            times[name].append(seconds(work))
    figures = {name: float(np.median(values)) for name, values in times.items()}
    figures['evidence'] = 1 - figures.pop('without') / figures['image_16']
    figures['image_16'] /= len(images)
    for name, value in figures.items():
        print(f'{name:<10} {value:.1%}' if name == 'evidence' else f'{name:<10} {value:.3f} s')
    if args.json:
        print(json.dumps(figures))


if __name__ == '__main__':
    main()
