"""Keypoint mixup padding: every category to the same number of keypoints K."""

from collections.abc import Sequence
from dataclasses import dataclass
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
    padding = place_padding(len(keypoints), skeleton, total, method, lam, link)
    padded, shown = padding.pad(keypoints, visible)
    return padded, shown, padding.chain(shown)


@dataclass(frozen=True)
class Padding:
    """The places of padded keypoints on a skeleton, which the images of an episode share.

    Attributes:
        count: K_c, keypoints before padding.
        total: K, keypoints after it.
        links: (E, 2) int64, the skeleton's links (i, j).
        on_link: (E,) int64, how many padded keypoints a link has; those of the first link come
            first, and places after the last link's stay empty.
        weight: (N, 1), the λ of P[i] of each of the N padded keypoints that lie on links.
    """

    count: int
    total: int
    links: np.ndarray
    on_link: np.ndarray
    weight: np.ndarray

    def pad(self, keypoints: np.ndarray, visible: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Pad an image's keypoints (K_c, 2) and visibility (K_c,) to (K, 2) and (K,)."""
        keypoints = np.asarray(keypoints)
        visible = np.asarray(visible, bool)
        i, j = np.repeat(self.links, self.on_link, axis=0).T
        placed = slice(self.count, self.count + len(i))
        padded = np.zeros((self.total, 2), np.result_type(keypoints, np.float32))
        padded[: self.count] = keypoints
        padded[placed] = self.weight * keypoints[i] + (1 - self.weight) * keypoints[j]
        shown = np.zeros(self.total, bool)
        shown[: self.count] = visible
        shown[placed] = visible[i] & visible[j]
        return padded, shown

    def chain(self, visible: np.ndarray) -> list[list[int]]:
        """Return the skeleton's links and the chains of padded keypoints visible (K,)."""
        links, chains = self.links.tolist(), []
        first = self.count
        for (i, j), n in zip(links, self.on_link.tolist(), strict=True):
            if n and visible[first]:  # all of a link's are, or none
                chain = [i, *range(first, first + n), j]
                chains += map(list, pairwise(chain))
            first += n
        return links + chains


def place_padding(
    count: int,
    skeleton: Sequence[Sequence[int]],
    total: int,
    method: str,
    lam: np.ndarray | None = None,
    link: np.ndarray | None = None,
) -> Padding:
    """Choose the places of the padded keypoints; arguments and errors are `pad_keypoints`'s."""
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
    # The weight falls on P[i], so the chain's first point is the one nearest P[j]. This runs
    # against the geometry, and the released checkpoints are trained so.
    if method == 'mixup':
        drawn = np.asarray(link)[:missing]
        on_link = np.bincount(drawn, minlength=len(links))
        weight = np.asarray(lam)[count:total]
        weight = weight[np.lexsort((weight, np.sort(drawn)))]  # ascending on each link
    elif method == 'uniform':
        n = missing // len(links)
        on_link = np.full(len(links), n)
        weight = np.tile(np.linspace(0, 1, n + 2)[1:-1], len(links))
    else:
        on_link = np.zeros(len(links), np.int64)
        weight = np.zeros(0)
    return Padding(count, total, links, on_link, weight[:, None])
