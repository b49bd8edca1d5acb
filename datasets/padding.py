"""Keypoint mixup padding: every category to the same number of keypoints K."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

METHODS = ('mixup', 'uniform', 'zero')


def pad_keypoints(
    keypoints: np.ndarray,
    visible: np.ndarray,
    skeleton: Sequence[Sequence[int]],
    total: int,
    method: str,
    lam: np.ndarray | None = None,
    link: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray, list[list[int]]]:
    """Pad a category's keypoints to ``total`` by points on the links of its skeleton.

    A padded keypoint on link (i, j) is λ·P[i] + (1-λ)·P[j]; it is visible where both ends are, and
    is then chained into the skeleton: i – first – … – last – j.

    - ``mixup`` (training) takes the links and the λ that were drawn for the episode.
    - ``uniform`` (testing) puts equally many points on every link, equally spaced.
    - ``zero`` adds zeros, invisible and unlinked.

    Args:
        keypoints: (K_c, 2) points, in any unit.
        visible: (K_c,) bool.
        skeleton: the category's links, 0-based pairs of keypoints.
        total: K, the number of keypoints after padding.
        method: ``mixup``, ``uniform`` or ``zero``.
        lam: (K,) weights in [0, 1], for ``mixup``; keypoint k takes one of ``lam[K_c:]``.
        link: (K,) indices into ``skeleton``, for ``mixup``; the first K - K_c count.

    Returns:
        The padded keypoints (K, 2), their visibility (K,) and the skeleton with the chains.

    Raises:
        ValueError: an unknown method, more keypoints than ``total``, no link to pad on, or
            ``mixup`` without ``lam`` and ``link``.
    """
    keypoints = np.asarray(keypoints)
    count = len(keypoints)
    missing = total - count
    if method not in METHODS:
        raise ValueError(f'unknown padding {method!r}: choose one of {", ".join(METHODS)}')
    if missing < 0:
        raise ValueError(f'{count} keypoints cannot be padded to {total}')
    if method == 'mixup' and (lam is None or link is None):
        raise ValueError("padding 'mixup' needs the drawn 'lam' and 'link'")
    if method != 'zero' and not len(skeleton):
        raise ValueError(f"padding {method!r} needs a skeleton with links: choose 'zero' for none")

    links = np.asarray(skeleton, np.int64).reshape(-1, 2)
    if method == 'mixup':
        drawn = np.bincount(np.asarray(link)[:missing], minlength=len(links))
    elif method == 'uniform':
        drawn = np.full(len(links), missing // len(links))
    else:
        drawn = np.zeros(len(links), int)
    # Each padded keypoint's number of its link, and its place along the chain.
    of_link = np.repeat(np.arange(len(links)), drawn)
    end = count + len(of_link)
    # The weight falls on P[i], so the chain's first point is the one nearest P[j]. This runs
    # against the geometry, and the released checkpoints are trained so.
    if method == 'mixup':
        weight = np.asarray(lam)[count:end]
        weight = weight[np.lexsort((weight, of_link))]  # ascending on each link
    else:
        n = missing // max(len(links), 1)
        weight = np.tile(np.linspace(0, 1, n + 2)[1:-1], len(links))[: len(of_link)]
    weight = weight[:, None]

    i, j = links[of_link].T
    visible = np.asarray(visible, bool)
    padded = np.zeros((total, 2), np.result_type(keypoints, np.float32))
    padded[:count] = keypoints
    padded[count:end] = weight * keypoints[i] + (1 - weight) * keypoints[j]
    shown = np.zeros(total, bool)
    shown[:count] = visible
    shown[count:end] = visible[i] & visible[j]

    chains = links.tolist()
    first = count
    for (i, j), n in zip(links.tolist(), drawn.tolist(), strict=True):
        if n and shown[first]:
            chain = [i, *range(first, first + n), j]
            chains += map(list, pairwise(chain))
        first += n
    return padded, shown, chains
