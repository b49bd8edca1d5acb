"""Structural references: the keypoints around each keypoint on the skeleton."""

from collections.abc import Sequence

import numpy as np

from fmmp.errors import InputError


def structural_references(
    visible: np.ndarray, skeleton: Sequence[Sequence[int]], count: int = 16
) -> tuple[np.ndarray, np.ndarray]:
    """Find each keypoint's nearest keypoints on the skeleton, itself first.

    The references of a visible keypoint are found breadth-first, neighbours in the order in which
    the skeleton lists its links; a search reaches invisible keypoints and does not go on from them.
    Places left over, and all places of an invisible keypoint, hold the keypoint itself.

    Args:
        visible: (K,) bool.
        skeleton: links as 0-based pairs of keypoints, each counting both ways.
        count: number of references of a keypoint.

    Returns:
        The references (K, count) int64, and how many links away they are (K, count) int64.

    Raises:
        ValueError: a link is no pair or names a keypoint that is not there, ``visible`` has other
            dimensions, or ``count`` is below 1.
    """
    if count < 1:
        raise ValueError(f'{count} references were asked for: at least 1, the keypoint itself')
    visible, links = np.asarray(visible, bool), np.asarray(skeleton, np.int64)
    if not links.size:
        links = links.reshape(0, 2)
    if visible.ndim != 1 or links.shape[1:] != (2,):
        raise ValueError(
            f'expected visible (K,) and links (E, 2), got {visible.shape} and {links.shape}'
        )
    neighbours = _visible_neighbours(visible.tolist(), links.tolist())
    found = [_breadth_first(neighbours, keypoint, count) for keypoint in range(len(visible))]
    table = np.array(found, np.int64).reshape(-1, 2, count)
    return np.ascontiguousarray(table[:, 0]), np.ascontiguousarray(table[:, 1])


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


def _visible_neighbours(visible: list[bool], links: list[list[int]]) -> list[list[int]]:
    """Return where a search goes on to from each keypoint: from invisible ones, nowhere."""
    neighbours = [[] for _ in visible]
    for i, j in links:
        if not (0 <= i < len(visible) and 0 <= j < len(visible)):
            raise ValueError(f'link ({i}, {j}) names none of the {len(visible)} keypoints')
        if visible[i]:
            neighbours[i].append(j)
        if visible[j]:
            neighbours[j].append(i)
    return neighbours


def _breadth_first(
    neighbours: list[list[int]], start: int, count: int
) -> tuple[list[int], list[int]]:
    """Return ``count`` keypoints in the order of their finding, and their hops.

    Places left over hold ``start``.
    """
    found, hops, known = [start], [0], {start}
    for keypoint, distance in zip(found, hops, strict=True):  # both grow as keypoints are found
        if len(found) >= count:
            break
        for neighbour in neighbours[keypoint]:
            if neighbour not in known:
                known.add(neighbour)
                found.append(neighbour)
                hops.append(distance + 1)
    rest = max(0, count - len(found))
    return (found + [start] * rest)[:count], (hops + [0] * rest)[:count]
