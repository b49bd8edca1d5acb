"""Episodes: which instances are supports and queries of one another."""

import random
from collections.abc import Mapping, Sequence


def evaluation_pairs(
    instances_by_category: Mapping[int, Sequence[int]],
    category_ids: Sequence[int],
    num_shots: int,
    num_queries: int,
    num_episodes: int,
) -> list[list[int]]:
    """Draw the pairs of an evaluation, the same ones every time.

    Args:
        instances_by_category: the instances' numbers, by category id.
        category_ids: the categories to test, in order.
        num_shots: S, supports an episode.
        num_queries: Q, queries an episode.
        num_episodes: episodes a category.

    Returns:
        One list ``[support, …, query]`` of S + 1 instances a query: category by category, episode
        by episode, query by query.

    Raises:
        ValueError: a category has fewer than S + Q instances.
    """
    generator = random.Random(1)
    pairs = []
    for category in category_ids:
        for _ in range(num_episodes):
            drawn = generator.sample(instances_by_category[category], num_shots + num_queries)
            supports, queries = drawn[:num_shots], drawn[num_shots:]
            pairs += [[*supports, query] for query in queries]
    return pairs


def training_tuples(
    instances_by_category: Mapping[int, Sequence[int]],
    category_ids: Sequence[int],
    num_shots: int,
    generator: random.Random,
    num_episodes: int | None = None,
) -> list[list[int]]:
    """Draw an epoch of training: tuples of S supports and a query, all categories equally often.

    Args:
        instances_by_category: the instances' numbers, by category id.
        category_ids: the training categories.
        num_shots: S, supports an episode.
        generator: the epoch's own source of randomness.
        num_episodes: tuples a category gives; the largest instance count among the categories
            unless given.

    Returns:
        Lists ``[support, …, query]`` of S + 1 distinct instances of one category, shuffled.

    Raises:
        ValueError: a category has fewer than S + 1 instances.
    """
    if num_episodes is None:
        num_episodes = max(len(instances_by_category[category]) for category in category_ids)
    tuples = [
        generator.sample(instances_by_category[category], num_shots + 1)
        for category in category_ids
        for _ in range(num_episodes)
    ]
    generator.shuffle(tuples)
    return tuples
