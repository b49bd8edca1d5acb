"""Keypoint mixup padding: every category to the same number of keypoints K (paper, Section 3.3)."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

Drawn = dict[str, np.ndarray]

PADDINGS: dict[str, type['Padding']] = {}
"""The paddings, by the names that configs choose them by."""


def register_padding(name: str) -> Callable[[type['Padding']], type['Padding']]:
    """Name a padding, to be chosen by ``data_cfg.padding``."""

    def register(padding: type['Padding']) -> type['Padding']:
        PADDINGS[name] = padding
        return padding

    return register


class Padding(ABC):
    """How padded keypoints are placed on the links of a category's skeleton.

    A padded keypoint on link (i, j) is λ·P[i] + (1-λ)·P[j].

    Attributes:
        draws: whether places are drawn at random, which no evaluation may.
        needs_links: whether a category without links cannot be padded.
    """

    draws = False
    needs_links = True

    def draw(self, total: int, num_links: int, generator: np.random.Generator) -> Drawn:
        """Draw what an episode's padding depends on, once for all of its images."""
        return {}

    @abstractmethod
    def place(
        self, count: int, total: int, num_links: int, **drawn: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Choose the places.

        Args:
            count: K_c, keypoints before padding.
            total: K, keypoints after it.
            num_links: E, links of the skeleton.
            drawn: what `draw` gave.

        Returns:
            How many padded keypoints each link has (E,), and the λ of P[i] of each of these (N,),
            link by link; N is at most K - K_c.
        """


# The weight falls on P[i], so the chain's first point is the one nearest P[j]. This runs against
# the geometry, and the released checkpoints are trained so.


@register_padding('mixup')
class MixupPadding(Padding):
    """Padding of training: places on links drawn at random.

    Args:
        alpha: α of λ ~ Beta(α, α).
    """

    draws = True

    def __init__(self, alpha: float = 1.0) -> None:
        self.alpha = alpha

    def draw(self, total: int, num_links: int, generator: np.random.Generator) -> Drawn:
        """Each keypoint's λ and link, (K,)."""
        lam = generator.beta(self.alpha, self.alpha, total)
        return {'lam': lam, 'link': generator.integers(num_links, size=total)}

    def place(
        self,
        count: int,
        total: int,
        num_links: int,
        lam: np.ndarray | None = None,
        link: np.ndarray | None = None,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Padded keypoint k takes ``lam[K_c + k]`` and ``link[k]``, each (K,)."""
        if lam is None or link is None:
            raise ValueError("padding 'mixup' needs the drawn 'lam' and 'link'")
        drawn = np.asarray(link)[: total - count]
        weight = np.asarray(lam)[count:total]
        weight = weight[np.lexsort((weight, np.sort(drawn)))]  # ascending on each link
        return np.bincount(drawn, minlength=num_links), weight


@register_padding('uniform')
class UniformPadding(Padding):
    """Padding of testing: equally many points on every link, equally spaced."""

    def place(self, count: int, total: int, num_links: int) -> tuple[np.ndarray, np.ndarray]:
        """The same for every episode."""
        n = (total - count) // num_links
        return np.full(num_links, n), np.tile(np.linspace(0, 1, n + 2)[1:-1], num_links)


@register_padding('zero')
class ZeroPadding(Padding):
    """Zeros, invisible and unlinked."""

    needs_links = False

    def place(self, count: int, total: int, num_links: int) -> tuple[np.ndarray, np.ndarray]:
        """No keypoint on a link."""
        return np.zeros(num_links, np.int64), np.zeros(0)


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

    Args:
        keypoints: (K_c, 2) points, in any unit.
        visible: (K_c,) bool.
        skeleton: the category's links, 0-based pairs of keypoints.
        total: K, the number of keypoints after padding.
        method: ``mixup``, ``uniform``, ``zero``, or the name of another registered padding.
        lam: (K,) weights in [0, 1], for ``mixup``; keypoint k takes one of ``lam[K_c:]``.
        link: (K,) indices into ``skeleton``, for ``mixup``; the first K - K_c count.

    Returns:
        The padded keypoints (K, 2), their visibility (K,) and the skeleton with the chains.

    Raises:
        ValueError: an unknown method, more keypoints than ``total``, no link to pad on, or
            ``mixup`` without ``lam`` and ``link``.
    """
    if method not in PADDINGS:
        raise ValueError(f'unknown padding {method!r}: choose one of {", ".join(PADDINGS)}')
    padding = PADDINGS[method]()
    drawn = {'lam': lam, 'link': link} if padding.draws else {}
    placement = place_padding(padding, len(keypoints), skeleton, total, drawn)
    padded, shown = placement.pad(keypoints, visible)
    return padded, shown, placement.chain(shown)


@dataclass(frozen=True)
class Placement:
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
    padding: Padding, count: int, skeleton: Sequence[Sequence[int]], total: int, drawn: Drawn
) -> Placement:
    """Choose the places of an episode's padded keypoints.

    Args:
        padding: the padding.
        count: K_c.
        skeleton: the category's links, 0-based pairs of keypoints.
        total: K.
        drawn: what the padding has drawn for the episode.

    Raises:
        ValueError: more keypoints than ``total``, or no link to pad on.
    """
    if count > total:
        raise ValueError(f'{count} keypoints cannot be padded to {total}')
    links = np.asarray(skeleton, np.int64).reshape(-1, 2)
    if padding.needs_links and not len(links):
        name = type(padding).__name__
        raise ValueError(f"{name} needs a skeleton with links: choose padding 'zero' for none")
    on_link, weight = padding.place(count, total, len(links), **drawn)
    return Placement(count, total, links, on_link, weight[:, None])
