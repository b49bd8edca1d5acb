"""Structural references: the keypoints around each keypoint on the skeleton."""

from collections.abc import Sequence

import numpy as np


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
    """
    visible = np.asarray(visible, bool).tolist()
    neighbours = [[] for _ in visible]
    for i, j in skeleton:
        if visible[i]:
            neighbours[i].append(j)
        if visible[j]:
            neighbours[j].append(i)

    index = np.repeat(np.arange(len(visible))[:, None], count, axis=1)
    hops = np.zeros_like(index)
    for keypoint in range(len(visible)):
        found = _breadth_first(neighbours, keypoint, count)
        index[keypoint, : len(found)] = list(found)
        hops[keypoint, : len(found)] = list(found.values())
    return index, hops


def _breadth_first(neighbours: list[list[int]], start: int, count: int) -> dict[int, int]:
    """Return up to ``count`` keypoints in the order of their finding, with their hop counts."""
    found = {start: 0}
    queue = [start]
    for keypoint in queue:  # grows as keypoints are found
        for neighbour in neighbours[keypoint]:
            if neighbour not in found:
                found[neighbour] = found[keypoint] + 1
                queue.append(neighbour)
                if len(found) == count:
                    return found
    return found
