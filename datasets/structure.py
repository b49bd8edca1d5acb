"""Structural references: the keypoints around each keypoint on the skeleton."""

from collections.abc import Sequence

import numpy as np

from fmmp.errors import InputError


def structural_references(
    visible: np.ndarray, skeleton: Sequence[Sequence[int]], count: int = 16
) -> tuple[np.ndarray, np.ndarray]:
    """Find each keypoint's nearest keypoints on the skeleton, itself first, and how far they are.

    Args:
        visible: (K,) bool.
        skeleton: links as 0-based pairs of keypoints, each counting both ways.
        count: number of references of a keypoint.

    Returns:
        `nearest_keypoints`, and how many links away they are (K, count) int64.

    Raises:
        ValueError: see `nearest_keypoints`.
    """
    nearest = nearest_keypoints(visible, skeleton, count)
    neighbours = _visible_neighbours(visible, skeleton)
    hops = [_hops(neighbours, found) for found in nearest.tolist()]
    return nearest, np.array(hops, np.int64).reshape(-1, count)


def nearest_keypoints(
    visible: np.ndarray, skeleton: Sequence[Sequence[int]], count: int = 16
) -> np.ndarray:
    """Find each keypoint's nearest keypoints on the skeleton, itself first.

    The references of a visible keypoint are found breadth-first, neighbours in the order in which
    the skeleton lists its links; a search reaches invisible keypoints and does not go on from them.
    Places left over, and all places of an invisible keypoint, hold the keypoint itself.

    Args:
        visible: (K,) bool.
        skeleton: links as 0-based pairs of keypoints, each counting both ways.
        count: number of references of a keypoint.

    Returns:
        (K, count) int64

    Raises:
        ValueError: a link is no pair or names a keypoint that is not there, ``visible`` has other
            dimensions, or ``count`` is below 1.
    """
    if count < 1:
        raise ValueError(f'{count} references were asked for: at least 1, the keypoint itself')
    neighbours = _visible_neighbours(visible, skeleton)
    found = [_breadth_first(neighbours, keypoint, count) for keypoint in range(len(neighbours))]
    return np.array(found, np.int64).reshape(-1, count)


def shuffled_keypoints(count: int, skeleton: Sequence[Sequence[int]]) -> np.ndarray:
    """An order of a category's keypoints, drawn at random from its skeleton as a seed.

    Links between keypoints that have changed places, ``order[skeleton]``, keep the skeleton's shape
    and join random keypoints: the same ones in every episode, process and training.

    Args:
        count: K_c, the category's keypoints.
        skeleton: its links, 0-based pairs of keypoints.

    Returns:
        (K_c,) int64, which keypoint takes each one's place.
    """
    seed = [count, *np.ravel(skeleton).astype(int).tolist()]
    return np.random.default_rng(seed).permutation(count)


def padded_links(skeleton: Sequence[Sequence[int]], num_links: int) -> np.ndarray:
    """A skeleton's links with rows of -1 behind, so that those of several categories stack.

    Args:
        skeleton: 0-based links, pairs of keypoints.
        num_links: number of rows.

    Returns:
        (num_links, 2) int64

    Raises:
        InputError: there are more links.
    """
    if len(skeleton) > num_links:
        raise InputError(
            f'data_cfg.num_links is {num_links}, and a skeleton has {len(skeleton)} links: raise it'
        )
    links = np.full((num_links, 2), -1, np.int64)
    links[: len(skeleton)] = np.reshape(skeleton, (-1, 2))
    return links


def _visible_neighbours(visible: np.ndarray, skeleton: Sequence[Sequence[int]]) -> list[list[int]]:
    """Return where a search goes on to from each keypoint: from invisible ones, nowhere."""
    visible, links = np.asarray(visible, bool), np.asarray(skeleton, np.int64)
    if not links.size:
        links = links.reshape(0, 2)
    if visible.ndim != 1 or links.shape[1:] != (2,):
        raise ValueError(
            f'expected visible (K,) and links (E, 2), got {visible.shape} and {links.shape}'
        )
    neighbours, visible = [[] for _ in visible], visible.tolist()
    for i, j in links.tolist():
        if not (0 <= i < len(visible) and 0 <= j < len(visible)):
            raise ValueError(f'link ({i}, {j}) names none of the {len(visible)} keypoints')
        if visible[i]:
            neighbours[i].append(j)
        if visible[j]:
            neighbours[j].append(i)
    return neighbours


def _breadth_first(neighbours: list[list[int]], start: int, count: int) -> list[int]:
    """Return ``count`` keypoints in the order of their finding; places left over hold ``start``."""
    found, known = [start], {start}
    for keypoint in found:  # grows as keypoints are found
        if len(found) >= count:
            break
        for neighbour in neighbours[keypoint]:
            if neighbour not in known:
                known.add(neighbour)
                found.append(neighbour)
    return (found + [start] * (count - len(found)))[:count]


def _hops(neighbours: list[list[int]], found: list[int]) -> list[int]:
    """Return how many links away those are that `_breadth_first` found."""
    hops = {found[0]: 0}
    for keypoint in found:
        for neighbour in neighbours[keypoint]:
            hops.setdefault(neighbour, hops[keypoint] + 1)
    return [hops[keypoint] for keypoint in found]
