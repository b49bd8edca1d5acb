"""Following an object through a film: where to look next, and smooth keypoints."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .framing import box_around, margins_of
from .support import Box, Support, shown_keypoints


class OneEuroFilter:
    """The one-euro filter (Casiez, Roussel and Vogel, 2012) of points that move.

    A point is smoothed by a low-pass filter whose cutoff frequency, ``min_cutoff + beta · speed``,
    rises with its speed: still points do not tremble, and fast ones do not lag.

    Args:
        rate: frames a second.
        min_cutoff: Hz, for a point that stands still.
        beta: Hz for a speed of one unit a second.
        speed_cutoff: Hz, of the speed's own filter.
    """

    def __init__(
        self, rate: float, min_cutoff: float = 1.0, beta: float = 1.0, speed_cutoff: float = 1.0
    ) -> None:
        self.rate, self.min_cutoff, self.beta = rate, min_cutoff, beta
        self.speed_cutoff = speed_cutoff
        self.points = self.speed = None

    def __call__(self, points: np.ndarray, unit: float = 1.0) -> np.ndarray:
        """Smooth the next frame's points (K, 2); ``unit`` is what speeds are measured in."""
        if self.points is None:
            self.points, self.speed = points, np.zeros_like(points)
            return points
        speed = (points - self.points) * self.rate / unit
        self.speed = self.speed + self._alpha(self.speed_cutoff) * (speed - self.speed)
        cutoff = self.min_cutoff + self.beta * np.linalg.norm(self.speed, axis=-1, keepdims=True)
        self.points = self.points + self._alpha(cutoff) * (points - self.points)
        return self.points

    def restart(self, points: np.ndarray) -> None:
        """Go on from points that are smooth, next."""
        self.points, self.speed = None, None
        self(points)

    def _alpha(self, cutoff: np.ndarray | float) -> np.ndarray | float:
        """The weight of a new value, of a low-pass filter of first order."""
        turn = 2 * np.pi * cutoff / self.rate
        return turn / (turn + 1)


class Tracker:
    """Smooths an object's keypoints, and says in which box the next frame shows it.

    The box lies around the keypoints as the supports' boxes lie around theirs, so that the crop
    stays like the supports'.

    Args:
        supports: the annotated images. Keypoints that none of them shows have no part in the box.
        rate: frames a second.
        first_box: the box of the first frame; None for the whole image.
    """

    def __init__(self, supports: Sequence[Support], rate: float, first_box: Box | None) -> None:
        self.box, self.first_box = first_box, first_box
        self._filter = OneEuroFilter(rate)
        self._shown = shown_keypoints(supports)
        margins = []
        for support in supports:
            own = support.keypoints[support.visible]
            box = support.box or (0, 0, *np.shape(support.image)[1::-1])
            margins.append(margins_of(own, box))
        self._margins = np.mean(margins, axis=0)

    def __call__(
        self, keypoints: np.ndarray, size: tuple[int, int], is_smooth: bool = False
    ) -> np.ndarray:
        """Smooth a frame's keypoints (K, 2), and move the box.

        Args:
            keypoints: what was found in `box`, in pixels.
            size: the frame's width and height.
            is_smooth: they are already, by an earlier tracker.
        """
        if is_smooth:
            self._filter.restart(keypoints)
        side = np.ptp(keypoints[self._shown], axis=0).max()
        smooth = keypoints if is_smooth else self._filter(keypoints, unit=max(side, 1.0))
        around = box_around(smooth[self._shown], self._margins, size)
        self.box = around or self.first_box  # where it is lost
        return smooth
