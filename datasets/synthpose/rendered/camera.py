"""Cameras: where a scene is seen from, and where its points come to lie in the picture."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass
class Camera:
    """A camera.

    Attributes:
        matrix: (4, 4), from the world to clip space: x right, y up, both from -1 to 1.
        eye: (3,), its place.
        near, far: distances of the planes that bound what is drawn.
    """

    matrix: np.ndarray
    eye: np.ndarray
    near: float
    far: float

    def project(self, points: np.ndarray, size: int) -> tuple[np.ndarray, np.ndarray]:
        """Returns the places in pixels (N, 2), x right and y down from the picture's corner, and
        the distances (N,) along the view of points (N, 3)."""
        clip = np.c_[points, np.ones(len(points))] @ self.matrix.T
        ndc = clip[:, :2] / clip[:, 3:]
        return (ndc * [1, -1] + 1) / 2 * size, clip[:, 3]

    def distance(self, depth: np.ndarray) -> np.ndarray:
        """Distances along the view of depths from 0 (near plane) to 1 (far plane)."""
        return self.near * self.far / (self.far - depth * (self.far - self.near))

    def framed(self, box: np.ndarray, place: np.ndarray) -> Camera:
        """The camera with its picture scaled alike in x and y and moved, as a crop does.

        Args:
            box: (2, 2), lowest and highest x and y of a part of clip space's picture.
            place: (2, 2), where the part shall lie; of it, the width counts.
        """
        scale = np.ptp(place, axis=0).max() / np.ptp(box, axis=0).max()
        crop = np.diag([scale, scale, 1, 1])
        crop[:2, 3] = place.mean(0) - scale * box.mean(0)
        return Camera(crop @ self.matrix, self.eye, self.near, self.far)


def rotation(axis: int, angle: float) -> np.ndarray:
    """(3, 3), a turn by an angle in radians about x, y or z, by the right hand's rule."""
    turn = np.eye(3)
    a, b = [i for i in range(3) if i != axis]
    sign = -1 if axis == 1 else 1
    turn[a, a] = turn[b, b] = np.cos(angle)
    turn[a, b], turn[b, a] = -sign * np.sin(angle), sign * np.sin(angle)
    return turn


def look_at(
    centre: np.ndarray,
    radius: float,
    azimuth: float,
    elevation: float,
    roll: float,
    field_of_view: float,
) -> Camera:
    """A camera that sees a ball.

    Args:
        centre, radius: the ball's.
        azimuth: 0 in front of it, a quarter turn at its left; radians.
        elevation: 0 level with it, a quarter turn above; radians.
        roll: of the camera about the view, radians.
        field_of_view: the angle that the picture spans, radians; the ball touches its sides.
    """
    distance = radius / np.sin(field_of_view / 2)
    turn = rotation(2, roll) @ rotation(0, elevation) @ rotation(1, -azimuth)
    view = np.eye(4)
    view[:3, :3], view[:3, 3] = turn, -turn @ centre - [0, 0, distance]
    near, far, focus = 0.1 * distance, distance + 40 * radius, 1 / np.tan(field_of_view / 2)
    lens = np.diag([focus, focus, (far + near) / (near - far), 0])
    lens[2, 3], lens[3, 2] = 2 * far * near / (near - far), -1
    return Camera(lens @ view, centre + turn.T @ [0, 0, distance], near, far)


def sun_view(centre: np.ndarray, radius: float, direction: np.ndarray) -> np.ndarray:
    """(4, 4), from the world to the clip space of parallel rays from a direction onto a ball."""
    azimuth, elevation = np.arctan2(direction[0], direction[2]), np.arcsin(direction[1])
    turn = rotation(0, elevation) @ rotation(1, -azimuth)
    view = np.eye(4)
    view[:3, :3], view[:3, 3] = turn / radius, -turn @ centre / radius
    view[2] *= -1  # clip space's depth grows away from the eye
    return view
