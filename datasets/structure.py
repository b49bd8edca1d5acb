"""Structural references: the keypoints around each keypoint on the skeleton."""

import warnings
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

    Raises:
        ValueError: a link is no pair or names a keypoint that is not there, ``visible`` has other
            dimensions, or ``count`` is below 1.
    """
    if count < 1:
        raise ValueError(f'{count} references were asked for: at least 1, the keypoint itself')
    visible = np.ascontiguousarray(visible, bool)
    links = np.ascontiguousarray(skeleton, np.int64)
    if not links.size:
        links = links.reshape(0, 2)
    if visible.ndim != 1 or links.shape[1:] != (2,):
        raise ValueError(
            f'expected visible (K,) and links (E, 2), got {visible.shape} and {links.shape}'
        )
    index = np.empty((len(visible), count), np.int64)
    hops = np.empty_like(index)
    search(visible, links, index, hops)
    return index, hops


def search_in_python(
    visible: np.ndarray, links: np.ndarray, index: np.ndarray, hops: np.ndarray
) -> None:
    """Fill ``index`` and ``hops`` with what `structural_references` finds."""
    neighbours = [[] for _ in visible]
    for i, j in links.tolist():
        if not (0 <= i < len(visible) and 0 <= j < len(visible)):
            raise ValueError(f'link ({i}, {j}) names none of the {len(visible)} keypoints')
        if visible[i]:
            neighbours[i].append(j)
        if visible[j]:
            neighbours[j].append(i)

    index[:] = np.arange(len(visible))[:, None]
    hops[:] = 0
    for keypoint in range(len(visible)):
        found = _breadth_first(neighbours, keypoint, index.shape[1])
        index[keypoint, : len(found)] = list(found)
        hops[keypoint, : len(found)] = list(found.values())


def _breadth_first(neighbours: list[list[int]], start: int, count: int) -> dict[int, int]:
    """Return up to ``count`` keypoints in the order of their finding, with their hop counts."""
    found = {start: 0}
    queue = [start]
    for keypoint in queue:  # grows as keypoints are found
        for neighbour in neighbours[keypoint]:
            if len(found) == count:
                return found
            if neighbour not in found:
                found[neighbour] = found[keypoint] + 1
                queue.append(neighbour)
    return found


try:  # the same, compiled: it takes a twentieth of the time
    from ._structure import search
except ImportError as error:
    search = search_in_python
    if not isinstance(error, ModuleNotFoundError):
        warnings.warn(f'{error}: `bash install.sh` compiles it anew', stacklevel=1)
