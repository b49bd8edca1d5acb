"""Scenes: an object in a pose, seen by a camera, under lights, on a ground, among other things."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from .backgrounds import Backgrounds
from .camera import Camera, look_at, rotation, sun_view
from .labelling import annotate
from .lighting import photograph, random_light
from .meshes import plain_texture
from .model import Category, Model, Part, Posed
from .renderer import CLUTTER, OBJECT, SURROUNDINGS, Item, Renderer
from .settling import box

TRIES = 12  # scenes drawn until one shows enough of the object
ENOUGH = 0.4  # of the keypoints
LABELLED = 3  # keypoints that an instance needs
MORE_TRIES = 120  # until one has them
OTHERS = (0.45, 0.3, 0.15, 0.1)  # how often there are 0, 1, 2 and 3 other things
INDOORS = {'furniture', 'thing'}
LIT = 2.2  # the radius around the object within which shadows fall
WHITE = np.ones(3)
ALIVE = {'animal body', 'animal face', 'bird', 'insect', 'fish', 'person', 'hand', 'plant'}
CENTRE = np.array([0, 0, 0])


@dataclass(frozen=True)
class Views:
    """How the views of a kind spread; chosen so that copying scores as on MP-100's kind.

    Attributes:
        turn: the widest turn from its front to either side, radians; a category may set less.
        elevation: lowest and highest of the camera, radians.
        roll: standard deviation of the camera's roll, radians.
        aground: how often there is a ground.
    """

    turn: float = np.pi
    elevation: tuple[float, float] = (-0.1, 0.9)
    roll: float = 0.1
    aground: float = 0.7


VIEWS = {
    'animal body': Views(elevation=(-0.1, 0.6), roll=0.12),
    'bird': Views(elevation=(-0.1, 0.5), roll=0.12, aground=0.5),
    'fish': Views(elevation=(-0.4, 1.0), roll=0.2, aground=0.1),
    'person': Views(turn=1.9, elevation=(-0.15, 0.5), roll=0.08),
    'furniture': Views(turn=0.8, elevation=(0.1, 0.6), roll=0.05, aground=0.9),
    'vehicle': Views(turn=1.1, elevation=(0.05, 0.5), roll=0.05, aground=0.9),
    'aircraft': Views(elevation=(-0.5, 0.9), roll=0.3, aground=0.3),
    'thing': Views(turn=1.3, elevation=(-0.1, 1.0), roll=0.15),
    'plant': Views(elevation=(-0.1, 0.6), roll=0.08),
}


def draw(
    category: Category,
    clutter: list[Model],
    backgrounds: Backgrounds,
    renderer: Renderer,
    rng: np.random.Generator,
) -> tuple[np.ndarray, dict, list[Model]]:
    """Draws an instance of a settled category.

    Args:
        category: of it, one of the models is drawn at random.
        clutter: models to put beside it.
        backgrounds: what is behind and below.
        renderer: its size is the picture's.
        rng: everything follows from it.

    Returns:
        The (S, S, 3) uint8 RGB picture; its annotation without ids: `bbox`, `area`, `keypoints`,
        `num_keypoints`, `iscrowd`; and the models in it.
    """
    best = None
    for attempt in range(MORE_TRIES):
        if attempt >= TRIES and best[0] >= (True, 0):
            break
        models = [category.models[rng.integers(len(category.models))]]
        views = VIEWS.get(category.kind, Views())
        posed = vary(models[0].pose(rng), category.swap, rng)
        camera, azimuth = _camera(posed, min(views.turn, category.turn), views, rng)
        tints = _tints(posed, category.kind in ALIVE, rng)
        items = [Item(p, OBJECT, tint) for p, tint in zip(posed.parts, tints, strict=True)]
        floor = float(box(posed)[0][1])
        if rng.random() >= views.aground or camera.eye[1] < floor + 0.1:
            floor = None
        if clutter and attempt < TRIES // 2:
            for _ in range(rng.choice(4, p=OTHERS)):
                models.append(clutter[rng.integers(len(clutter))])
                items += _other(models[-1], azimuth, floor, rng)
        if floor is not None:
            items += _surroundings(floor, azimuth, category.kind in INDOORS, backgrounds, rng)
        light = random_light(rng)
        sun = sun_view(CENTRE, LIT, light.sun_direction)
        drawing = renderer.draw(items, camera.matrix, camera.eye, sun, light)
        annotation, seen = annotate(posed, camera, drawing, rng)
        rank = annotation['num_keypoints'] >= LABELLED, seen
        if best is None or rank > best[0]:
            best = rank, drawing, annotation, models
        if rank >= (True, ENOUGH):
            break
    _, drawing, annotation, models = best
    behind = backgrounds.photograph(rng, renderer.size)
    return photograph(drawing.colours, behind, rng), annotation, models


def vary(posed: Posed, swap: list[int], rng: np.random.Generator) -> Posed:
    """Stretches a model a little, mirrors it in half of the cases where its keypoints tell how, and
    brings it to a ball of radius 1 around the origin."""
    low, high = box(posed)
    scale = rng.uniform(0.9, 1.12, 3) * 2 / np.linalg.norm(high - low)
    order = np.arange(len(posed.keypoints))
    if swap and rng.random() < 0.5:
        scale[0] *= -1
        order = np.array(swap)
    centre = (low + high) / 2
    return Posed(_placed(posed.parts, scale, centre), ((posed.keypoints - centre) * scale)[order])


def _placed(
    parts: list[Part],
    scale: np.ndarray,
    centre: np.ndarray,
    turn: np.ndarray | None = None,
    to: np.ndarray | float = 0.0,
) -> list[Part]:
    """Parts moved from their centre to the origin, scaled, turned and moved on."""
    turn = np.eye(3) if turn is None else turn
    return [
        replace(
            part,
            vertices=((part.vertices - centre) * scale @ turn.T + to).astype(np.float32),
            normals=(part.normals / scale @ turn.T).astype(np.float32),
        )
        for part in parts
    ]


def _camera(
    posed: Posed, turn: float, views: Views, rng: np.random.Generator
) -> tuple[Camera, float]:
    """A camera that frames the object: now small, now cut off; and its azimuth."""
    azimuth = rng.uniform(-turn, turn)
    camera = look_at(
        CENTRE,
        1.0,
        azimuth,
        rng.uniform(*views.elevation),
        rng.normal() * views.roll,
        rng.uniform(0.25, 0.9),
    )
    vertices = np.concatenate([part.vertices for part in posed.parts])
    places, _ = camera.project(vertices, 1)
    extent = np.array([places.min(0), places.max(0)]) * [2, -2] + [-1, 1]
    extent = np.sort(extent, axis=0)
    share = rng.uniform(0.3, 0.5) if rng.random() < 0.1 else rng.uniform(0.55, 0.97)
    half = share * np.ptp(extent, axis=0) / np.ptp(extent, axis=0).max()
    room = 1 - half
    if rng.random() < 0.15:  # a side is cut off
        room += 0.5 * half
    middle = rng.uniform(-1, 1, 2) * room
    return camera.framed(extent, np.array([middle - half, middle + half])), azimuth


def _tints(posed: Posed, alive: bool, rng: np.random.Generator) -> np.ndarray:
    """(parts, 3) factors on the colours; what is not alive comes in any colour, part by part."""
    count = len(posed.parts)
    if alive:
        return np.tile(rng.uniform(0.6, 1.4) * rng.uniform(0.85, 1.15, 3), (count, 1))
    whole = rng.uniform(0.6, 1.3) * rng.uniform(0.6, 1.3, 3)
    spread = 0.5 if rng.random() < 0.5 else 0.0
    return whole * np.exp(rng.normal(0, 1, (count, 3)) * spread)


def _other(
    model: Model, azimuth: float, floor: float | None, rng: np.random.Generator
) -> list[Item]:
    """Another thing beside, behind or, more often than by chance, before the object."""
    posed = model.pose(rng)
    low, high = box(posed)
    radius = rng.uniform(0.2, 0.8)
    scale = 2 * radius / np.linalg.norm(high - low)
    way = azimuth + (rng.normal() * 0.5 if rng.random() < 0.4 else rng.uniform(0.8, 5.5))
    far = 0.75 + radius * rng.uniform(0.4, 1.2)
    height = rng.uniform(-0.7, 0.7) if floor is None else floor + scale * (high - low)[1] / 2
    to = np.array([far * np.sin(way), height, far * np.cos(way)])
    turn = rotation(1, rng.uniform(0, 2 * np.pi))
    tint = rng.uniform(0.5, 1.4) * rng.uniform(0.7, 1.3, 3)
    parts = _placed(posed.parts, np.full(3, scale), (low + high) / 2, turn, to)
    return [Item(part, CLUTTER, tint) for part in parts]


def _surroundings(
    floor: float,
    azimuth: float,
    indoors: bool,
    backgrounds: Backgrounds,
    rng: np.random.Generator,
) -> list[Item]:
    """A ground, or only its shadows on the photograph behind; perhaps a wall."""
    across = np.array([np.cos(azimuth), 0, -np.sin(azimuth)])
    away = -np.array([np.sin(azimuth), 0, np.cos(azimuth)])
    up, foot = np.array([0, 1, 0]), np.array([0, floor, 0])
    if rng.random() < 0.4:
        return [Item(_square(foot, 8 * across, 8 * away, up, None, 1), SURROUNDINGS, WHITE, True)]
    walled = rng.random() < (0.5 if indoors else 0.1)
    reach = 25
    ground = _square(
        foot, reach * across, reach * away, up, backgrounds.ground(rng), reach / rng.uniform(0.8, 4)
    )
    items = [Item(ground, SURROUNDINGS, rng.uniform(0.6, 1.5) * rng.uniform(0.85, 1.15, 3))]
    if walled:
        behind = foot + rng.uniform(1.0, 2.5) * away + reach * up
        paper = backgrounds.ground(rng)
        if rng.random() < 0.5:
            paper = plain_texture(rng.uniform(60, 240) * rng.uniform(0.85, 1.05, 3))
        slant = rotation(1, rng.normal() * 0.3)
        wall = _square(
            behind, slant @ (reach * across), reach * up, -away, paper, reach / rng.uniform(0.8, 4)
        )
        items.append(Item(wall, SURROUNDINGS, rng.uniform(0.6, 1.5) * rng.uniform(0.9, 1.1, 3)))
    return items


def _square(
    middle: np.ndarray,
    right: np.ndarray,
    up: np.ndarray,
    normal: np.ndarray,
    texture: np.ndarray | None,
    repeats: float,
) -> Part:
    """A square of a middle and two halves of its sides (3,), its texture repeated."""
    corners = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]])
    return Part(
        (middle + corners @ np.array([right, up])).astype(np.float32),
        np.tile(normal, (4, 1)).astype(np.float32),
        (corners * repeats).astype(np.float32),
        np.array([[0, 1, 2], [0, 2, 3]], np.int32),
        plain_texture(np.full(3, 255)) if texture is None else texture,
    )
