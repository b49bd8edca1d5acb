"""Seconds to score one MP-100 test, 60 000 pairs, and the size of its results.json.

Made-up instances and predictions: 20 categories of 100 instances with 8 to 68 keypoints, nine in
ten of them labelled, 200 episodes of 15 queries a category. It prints the processor's seconds for

    metrics        of the predictions
    copying        predictions by copying the support, and their metrics
    report         all that a test computes after the last prediction: both, and rounding
    write, read    results.json, by tools/test.py and tools/analysis/compare.py

and MMPose's functions pair by pair, on every hundredth pair, in turn with the metrics.

    python benchmarks/scoring.py [--shots 1] [--keypoints 8 68] [--json]

``--json`` prints one object as the last line. ``metrics_ratio`` is MMPose's time a pair over ours
(higher is better).
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from fmmp.datasets import Instance
from fmmp.datasets.evaluation import TestEpisodes  # not found? bash install.sh
from fmmp.datasets.metrics import THRESHOLDS, copy_support, evaluate_pairs
from mmpose.core.evaluation.top_down_eval import (
    keypoint_auc,
    keypoint_epe,
    keypoint_nme,
    keypoint_pck_accuracy,
)

from fmmp.analysis.comparison import read_results
from fmmp.files import write_json

CATEGORIES, INSTANCES, EVERY, REPEATS = 20, 100, 100, 3


def write_annotations(path: Path, fewest: int, most: int) -> None:
    """Write a file of made-up instances."""
    generator = np.random.default_rng(0)
    content = {'images': [], 'annotations': [], 'categories': []}
    for category, count in enumerate(np.linspace(fewest, most, CATEGORIES).astype(int), 1):
        content['categories'].append({'id': category, 'name': f'c{category}', 'skeleton': []})
        for _ in range(INSTANCES):
            image = len(content['images'])
            x, y, w, h = generator.integers(100, 300, 4).tolist()
            points = generator.uniform((x, y), (x + w, y + h), (count, 2)).round(1)
            keypoints = np.column_stack([points, generator.random(count) < 0.9])
            content['images'].append(
                {'id': image, 'file_name': f'{image}.jpg', 'width': 640, 'height': 640}
            )
            content['annotations'].append(
                {
                    'id': image,
                    'image_id': image,
                    'category_id': category,
                    'bbox': [x, y, w, h],
                    'keypoints': keypoints.ravel().tolist(),
                }
            )
    write_json(content, path)


def score_by_mmpose(
    pairs: list[list[int]], predictions: list[np.ndarray], instances: dict[int, Instance]
) -> None:
    """Call MMPose's functions for each pair, on n poses of a keypoint, their faster use."""
    for numbers, prediction in zip(pairs, predictions, strict=True):
        query = instances[numbers[-1]]
        counts = np.all([instances[number].visible for number in numbers], axis=0)
        mask = np.ones((counts.sum(), 1), bool)
        poses = prediction[counts][:, None], query.keypoints[counts][:, None], mask
        side = max(query.box[2:])
        sides = np.full((len(mask), 2), side, np.float64)
        for threshold in THRESHOLDS:
            keypoint_pck_accuracy(*poses, threshold, sides)
        keypoint_nme(*poses, sides)
        keypoint_auc(*poses, side)
        keypoint_epe(*poses)


def seconds(run: Callable[[], object]) -> tuple[float, object]:
    """Time a call on the processor, whatever else it is busy with, and return its result."""
    start = time.process_time()
    result = run()
    return time.process_time() - start, result


def measure(shots: int, fewest: int, most: int) -> dict[str, float]:
    """Time scoring and the results file."""
    with tempfile.TemporaryDirectory() as folder:
        annotations, out = Path(folder, 'annotations.json'), Path(folder, 'results.json')
        write_annotations(annotations, fewest, most)
        settings = {'padding': 'zero', 'num_keypoints': most}
        dataset = TestEpisodes(annotations, '', [], num_shots=shots, data_cfg=settings)
        pairs, instances = dataset.pairs, dataset.instances
        predictions = copy_support(pairs, instances)
        some = slice(None, None, EVERY)
        runs = {
            'metrics': lambda: evaluate_pairs(pairs, predictions, instances),
            'copying': lambda: evaluate_pairs(pairs, copy_support(pairs, instances), instances),
            'mmpose': lambda: score_by_mmpose(pairs[some], predictions[some], instances),
        }
        times = [[seconds(run)[0] for run in runs.values()] for _ in range(REPEATS)]
        medians = dict(zip(runs, np.median(times, axis=0).tolist(), strict=True))
        shape = len(dataset), dataset.num_queries, most, 2
        points = np.random.default_rng(1).random(shape, np.float32)
        results = [{'index': range(len(dataset)), 'points': points}]
        report_seconds, report = seconds(lambda: dataset.report(results))
        write_seconds, _ = seconds(lambda: write_json(report, out))
        read_seconds, _ = seconds(lambda: read_results(out))
        return {
            'pairs': len(pairs),
            'metrics_seconds': medians['metrics'],
            'metrics_ratio': medians['mmpose'] * EVERY / medians['metrics'],
            'copying_seconds': medians['copying'],
            'report_seconds': report_seconds,
            'write_seconds': write_seconds,
            'read_seconds': read_seconds,
            'results_megabytes': out.stat().st_size / 1e6,
        }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('--shots', type=int, default=1, help='supports a pair [1]')
    parser.add_argument(
        '--keypoints', type=int, nargs=2, default=(8, 68), help='the fewest and the most [8 68]'
    )
    parser.add_argument('--json', action='store_true', help='print one object as the last line')
    args = parser.parse_args()
    fewest, most = args.keypoints
    figures = measure(args.shots, fewest, most)
    print(f'{figures["pairs"]} pairs, {args.shots} supports each, {fewest} to {most} keypoints')
    print(f'metrics  {figures["metrics_seconds"]:6.2f} s, MMPose pair by pair takes', end=' ')
    print(f'{figures["metrics_ratio"]:.0f} times that')
    print(f'copying  {figures["copying_seconds"]:6.2f} s')
    print(f'report   {figures["report_seconds"]:6.2f} s')
    print(f'write    {figures["write_seconds"]:6.2f} s, {figures["results_megabytes"]:.1f} MB')
    print(f'read     {figures["read_seconds"]:6.2f} s')
    if args.json:
        print(json.dumps(figures))


if __name__ == '__main__':
    main()
