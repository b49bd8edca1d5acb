"""Points of a body: joints of its bones, brought to its skin, and the extremities of its parts.

A point is found once, in the bind pose, and is then moved as the skin there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .zero_ad_files import NO_BONE, Mesh


@dataclass
class Point:
    """A point (3,) of the bind pose, and the bones (4,) that move it with weights (4,)."""

    at: np.ndarray
    bones: np.ndarray
    weights: np.ndarray


class Body:
    """A mesh of which points are asked for.

    Args:
        mesh: in its bind pose.
        names: of its bones, in their order.
    """

    def __init__(self, mesh: Mesh, names: Sequence[str]) -> None:
        self.mesh = mesh
        self.number = {name: i for i, name in enumerate(names[: len(mesh.bind)])}
        # Bones that a model lacks lie at its origin, untouched.
        untouched = np.isclose(mesh.bind, np.eye(4)).all((1, 2)) & (np.arange(len(mesh.bind)) > 0)
        held = mesh.bones != NO_BONE
        weights = mesh.weights * held
        self.main = np.where(
            held.any(1), mesh.bones[np.arange(len(weights)), weights.argmax(1)], NO_BONE
        )
        used = np.unique(mesh.bones[held & (mesh.weights > 0)])
        self.lacking = set(np.flatnonzero(untouched)) - set(used.tolist())
        self.corners = mesh.vertices[mesh.faces]
        self.size = float(np.ptp(mesh.vertices, axis=0).max())

    def joint(self, bone: str) -> np.ndarray | None:
        """Where a bone begins, (3,), or the middle of two ('one|two'); None for one it lacks."""
        if '|' in bone:
            ends = [self.joint(one) for one in bone.split('|')]
            return None if any(end is None for end in ends) else np.mean(ends, axis=0)
        number = self.number.get(bone)
        return None if number is None or number in self.lacking else self.mesh.bind[number, :3, 3]

    def follow(self, bone: str) -> Point | None:
        """The joint where a bone begins, inside the body."""
        at = self.joint(bone)
        if at is None or bone not in self.number:
            return None
        bones = np.array([self.number[bone], NO_BONE, NO_BONE, NO_BONE])
        return Point(at, bones, np.array([1.0, 0, 0, 0]))

    def on_skin(self, at: np.ndarray) -> Point:
        """A point (3,) that moves as the nearest vertex does."""
        nearest = ((self.mesh.vertices - at) ** 2).sum(1).argmin()
        return Point(np.asarray(at), self.mesh.bones[nearest], self.mesh.weights[nearest])

    def vertex(self, at: Sequence[float]) -> Point:
        """The vertex nearest a point (3,)."""
        nearest = ((self.mesh.vertices - at) ** 2).sum(1).argmin()
        return self.on_skin(self.mesh.vertices[nearest])

    def outward(self, start: np.ndarray, way: Sequence[float]) -> Point | None:
        """Where a ray first leaves the body; None where it does not."""
        hits = self.hits(start, np.asarray(way, float), leaving=True)
        return self.on_skin(start + hits.min() * np.asarray(way)) if len(hits) else None

    def hits(self, start: np.ndarray, way: np.ndarray, leaving: bool) -> np.ndarray:
        """How far along a ray it meets triangles, from within (``leaving``) or from without.

        Möller and Trumbore's intersection, of all triangles.
        """
        a, b, c = self.corners.swapaxes(0, 1)
        one, two, to = b - a, c - a, start - a
        p = np.cross(way, two)
        determinant = (one * p).sum(1)
        with np.errstate(all='ignore'):  # triangles along the ray
            u = (to * p).sum(1) / determinant
            q = np.cross(to, one)
            v = q @ way / determinant
            t = (two * q).sum(1) / determinant
            met = (u >= -1e-6) & (v >= -1e-6) & (u + v <= 1 + 2e-6) & (t > 0)
        return t[met & (determinant < 0 if leaving else determinant > 0)]

    def at_side(self, y: float, z: float, left: bool) -> Point | None:
        """The outermost point of the skin at a height and a place along the body."""
        way = np.array([-1.0 if left else 1.0, 0, 0])
        start = np.array([self.size * (1 if left else -1), y, z])
        hits = self.hits(start, way, leaving=False)
        return self.on_skin(start + hits.min() * way) if len(hits) else None

    def tip(
        self, bones: Sequence[str], way: Sequence[float], side: int = 0, middle: bool = False
    ) -> Point | None:
        """The extreme vertex, along ``way``, of the skin that these bones move most.

        Args:
            bones: their names.
            way: a direction (3,).
            side: 1 for the left alone, -1 for the right, 0 for all.
            middle: whether the point lies on the body's middle plane.
        """
        numbers = [self.number[bone] for bone in bones if bone in self.number]
        chosen = np.isin(self.main, numbers) & (side * self.mesh.vertices[:, 0] >= 0)
        if not chosen.any():
            return None
        vertices = np.flatnonzero(chosen)
        reach = self.mesh.vertices[vertices] @ np.asarray(way, float)
        extreme = vertices[reach >= reach.max() - 0.004 * self.size]
        point = self.on_skin(self.mesh.vertices[vertices[reach.argmax()]])
        point.at = self.mesh.vertices[extreme].mean(0)
        if middle:
            point.at = point.at * [0, 1, 1]
        return point

    def farthest(self, bones: Sequence[str], start: np.ndarray) -> Point | None:
        """The vertex farthest from a point, of the skin that these bones move most."""
        numbers = [self.number[bone] for bone in bones if bone in self.number]
        vertices = np.flatnonzero(np.isin(self.main, numbers))
        if not len(vertices):
            return None
        distance = ((self.mesh.vertices[vertices] - start) ** 2).sum(1)
        return self.on_skin(self.mesh.vertices[vertices[distance.argmax()]])
