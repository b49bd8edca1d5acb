"""What copying the support scores on MP-100: the floor of every method, from annotations alone."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from fmmp.datasets import evaluation_pairs, load_annotations, split_categories
from fmmp.datasets.annotations import count_instances
from fmmp.datasets.category_names import CategoryNames
from fmmp.datasets.coco import read_coco
from fmmp.datasets.metrics import PCK_NAMES, copy_support, evaluate_pairs
from fmmp.datasets.mp100.sources import source_of
from fmmp.errors import InputError

from .tables import format_table

COLUMNS = (*PCK_NAMES, 'mPCK')
TABLES = ('split', 'super-category', 'category')
SPLITS = range(1, 6)
NUM_QUERIES, NUM_EPISODES = 15, 200  # an episode's queries and a category's episodes, in testing

# MP-100's eight super-categories, by the data set that a category's images come from.
SUPER_CATEGORIES = {
    'COCO': 'human body',
    '300W': 'human face',
    'AFLW': 'human face',
    'OneHand10K': 'human hand',
    'AP-10K': 'animal body',
    'MacaquePose': 'animal body',
    'Vinegar Fly': 'animal body',
    'Desert Locust': 'animal body',
    'CUB-200': 'animal body',
    'AnimalWeb': 'animal face',
    'DeepFashion2': 'clothes',
    'Keypoint-5': 'furniture',
    'CarFusion': 'vehicle',
}


@dataclass(frozen=True)
class Floor:
    """What copying the support scores on a category.

    Attributes:
        subset: ``val`` or ``test``.
        split: 1 to 5; ``all`` in tables.
        shots: S, supports a pair.
        category: its name.
        super_category: its super-category's name.
        scores: the means over its pairs of the metrics in `COLUMNS`.
    """

    subset: str
    split: int | str
    shots: int
    category: str
    super_category: str
    scores: tuple[float, ...]


def score_copying(
    ann_file: str | Path,
    shots: Sequence[int] = (1, 5),
    subset: str = 'test',
    num_queries: int = NUM_QUERIES,
    num_episodes: int = NUM_EPISODES,
) -> tuple[list[Floor], list[str]]:
    """Score copying the support on the pairs that testing draws.

    Args:
        ann_file: MP-100's validation or test file of a split, or a unified file.
        shots: the numbers of supports to score.
        subset: what to score of a unified file, split by split.
        num_queries: Q, queries an episode.
        num_episodes: episodes a category.

    Returns:
        The floor of every category of every subset and number of shots; and lines that say which
        categories are left out, since they have too few instances for an episode.

    Raises:
        FileNotFoundError: the file is missing.
        ValueError: it is unsound, or no category to score has enough instances.
    """
    names = CategoryNames(read_coco(ann_file))
    counts = count_instances(ann_file)
    sources = {id_: source_of(names, id_) for id_, (_, count) in counts.items() if count}
    held = [id_ for id_, source in sources.items() if source]
    if not held:
        raise InputError(f'{ann_file}: holds no instance of a category of MP-100')
    _, instances = load_annotations(ann_file, held, allow_empty_skeleton=True, skeleton_base=None)
    by_category = defaultdict(list)
    for instance in instances.values():
        by_category[instance.category_id].append(instance.index)

    floors, left_out = [], []
    for split, part in _parts(held, subset):
        ids = split_categories(split, part)
        for num_shots in shots:
            enough = [id_ for id_ in ids if len(by_category[id_]) >= num_shots + num_queries]
            if len(enough) < len(ids):
                some = (counts.get(id_, (f'category {id_}', 0)) for id_ in ids if id_ not in enough)
                listing = ', '.join(f'{name} ({count})' for name, count in some)
                line = f'split {split}, {part}: left out, with too few instances: {listing}'
                left_out += [line] if line not in left_out else []
            if not enough:
                continue
            pairs = evaluation_pairs(by_category, enough, num_shots, num_queries, num_episodes)
            scores = evaluate_pairs(pairs, copy_support(pairs, instances), instances)
            means = [scores[name].reshape(len(enough), -1).mean(1).tolist() for name in COLUMNS]
            floors += [
                Floor(
                    part,
                    split,
                    num_shots,
                    counts[id_][0],
                    SUPER_CATEGORIES[sources[id_].name],
                    values,
                )
                for id_, values in zip(enough, zip(*means, strict=True), strict=True)
            ]
    if not floors:
        raise InputError(
            f'{ann_file}: no category to score has the instances of an episode, '
            f'{min(shots) + num_queries}'
        )
    return floors, left_out


def _parts(held: Collection[int], subset: str) -> list[tuple[int, str]]:
    """Tell which subsets of which splits to score, from the categories that a file holds."""
    own = [
        (split, part)
        for split in SPLITS
        for part in ('val', 'test')
        if set(held) <= set(split_categories(split, part))
    ]
    return own or [(split, subset) for split in SPLITS]  # more than one subset has: a unified file


def format_floors(floors: Sequence[Floor], by: str, style: str = 'markdown') -> str:
    """Return the floors as a table, in per cent.

    Args:
        floors: what `score_copying` returns, of one file or several.
        by: ``split``, ``super-category`` or ``category``: a row for each and its split, the mean
            over its categories; for the first two also over all splits, if there are several.
        style: ``markdown``, ``csv`` or ``latex``.
    """
    if by != 'category' and len({floor.split for floor in floors}) > 1:
        floors = [*floors, *(replace(floor, split='all') for floor in floors)]
    names = {'split': [], 'super-category': [by], 'category': [by, 'super-category']}[by]
    groups = defaultdict(list)
    for floor in floors:
        named = [getattr(floor, name.replace('-', '_')) for name in names]
        groups[(*named, floor.subset, floor.split, floor.shots)].append(floor.scores)
    cells = []
    for key in sorted(groups, key=lambda key: key[: len(names)]):
        count = [] if by == 'category' else [len(groups[key])]
        means = [f'{100 * mean:.2f}' for mean in np.mean(groups[key], axis=0)]
        cells.append([*map(str, [*key, *count]), *means])
    counted = [] if by == 'category' else ['categories']
    header = [*names, 'subset', 'split', 'shots', *counted, *COLUMNS]
    return format_table(header, cells, style)
