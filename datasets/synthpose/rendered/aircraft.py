"""FlightGear's aircraft (Debian's flightgear-data-ai): text models `.ac` of AC3D."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from functools import lru_cache
from itertools import pairwise
from pathlib import Path

import numpy as np

from fmmp.errors import InputError

from .extremes import Extreme, both_sides, locate, named_links, surface, swapped_sides
from .meshes import MAX_FACES, plain_texture
from .model import Category, Entry, Model, Part, Posed

PACKAGE = 'flightgear-data-ai'
CREATOR = 'the FlightGear team and contributors'
LICENCE = 'GPL-2+'
PICTURES = {'.png', '.rgb', '.rgba', '.jpg'}
MOST_LIVERIES = 12  # of one aircraft

AIRCRAFT = [
    Extreme('nose', (0, 0, 1), x=(0.4, 0.6)),
    Extreme('end of the tail', (0, 0, -1), x=(0.45, 0.55)),
    Extreme('top of the fin', (0, 1, -0.1), z=(0, 0.4)),
    Extreme('top of the cabin', (0, 1, 0.15), x=(0.45, 0.55), z=(0.6, 0.95)),
    Extreme('belly', (0, -1, 0), x=(0.47, 0.53), z=(0.3, 0.6)),
    *both_sides(
        Extreme('front of the wing tip', (1, 0, 0.4), x=(0.93, 1)),
        Extreme('back of the wing tip', (1, 0, -0.4), x=(0.93, 1)),
        Extreme('tip of the tailplane', (1, 0, 0), x=(0.5, 0.9), z=(0, 0.2)),
        Extreme('main wheel', (0.2, -1, 0), x=(0.52, 0.8), z=(0.25, 0.65)),
    ),
    Extreme('nose wheel', (0, -1, 0), x=(0.45, 0.55), z=(0.7, 1)),
]
BALLOON = [
    Extreme('top', (0, 1, 0)),
    *both_sides(
        Extreme('widest', (1, 0, 0)),
        Extreme('upper edge', (1, 0, 0), y=(0.8, 0.9)),
        Extreme('lower edge', (1, 0, 0), y=(0.25, 0.35)),
        Extreme('corner of the basket', (1, -0.5, 0.5), y=(0, 0.1)),
    ),
]
ALONG = [  # links on either side
    ('nose', 'top of the cabin'),
    ('top of the cabin', 'end of the tail'),
    ('end of the tail', 'top of the fin'),
    ('end of the tail', 'tip of the tailplane'),
    ('front of the wing tip', 'back of the wing tip'),
    ('top of the cabin', 'front of the wing tip'),
    ('belly', 'main wheel'),
    ('nose', 'nose wheel'),
    ('top', 'upper edge'),
    ('upper edge', 'widest'),
    ('widest', 'lower edge'),
    ('lower edge', 'corner of the basket'),
]
ACROSS = ['corner of the basket']
CLASSES = {  # a category's name, its keypoints, and the folders of its aircraft
    'airliner': (
        AIRCRAFT,
        '220 339 733 734 735 736 738 739 747 757 767 777 787 A300 A310 A319 A320 A321 A330-MRTT '
        'A332 A333 A342 A343 A345 A346 A350 A380 E70 E90 E95',
    ),
    'jet with engines at the tail': (
        AIRCRAFT,
        '717 727 BAe-125 Bombardier-Challenger CCX CR2 CR7 CR9 Citation-Bravo ERJ145 '
        'Embraer-Legacy Fokker-100 Fokker-70 M11 MD80 MD90 tu154b',
    ),
    'jet with high wings': (AIRCRAFT, 'BAE146-300 Bae146-200'),
    'propeller airliner': (
        AIRCRAFT,
        'AT4 AT7 BNI Cessna-421-Golden-Eagle DH3 DH4 DH7 DHT E-2C Fokker-50 JS41 SF3 Saab-2000 '
        'b1900d beech-200 beech99 c310 c310u3a',
    ),
    'light aircraft with low wings': (
        AIRCRAFT,
        'DR400 Diamond-Da42 FK9MK2 Fokker-S-11 cri-cri ercoupe pa-28',
    ),
    'light aircraft with high wings': (AIRCRAFT, 'Cessna208Caravan Cub c172 c177 c182 c182rg'),
    'fighter': (
        AIRCRAFT,
        'Buccaneer F-15 F-18 F-4 JA37 Jaguar-GR1 Lightning MiG-21bis Mirage2000 T-38 eurofighter '
        'f-14b f16 seahawk',
    ),
    'propeller fighter': (AIRCRAFT, 'A6M2 Polikarpov-I16 Spitfire bf109'),
    'biplane': (AIRCRAFT, 'Beechcraft-Staggerwing DH82 G-164'),
    'delta wing': (AIRCRAFT, 'SR-71 SpaceShuttle vulcanb2'),
    'glider': (AIRCRAFT, 'centrair-101'),
    'crop duster': (AIRCRAFT, 'Dromader'),
    'push-pull aircraft': (AIRCRAFT, 'Cessna337'),
    'ultralight': (AIRCRAFT, 'Dragonfly flash2a'),
    'hot-air balloon': (BALLOON, 'balloon'),
}
DETAILS = re.compile(  # files of parts
    'light|toggle|refuel|drop-?tank|banner|exhaust|omspods|ssme|tank|wheels', re.IGNORECASE
)


def categories(folder: str | Path) -> list[Entry]:
    """The categories of aircraft in a folder.

    Raises:
        InputError: the folder holds none.
    """
    folders = defaultdict(list)
    for file in sorted(Path(folder).rglob('*.ac')):
        aircraft, *below = _below(file) or ['']
        if below and not any(map(DETAILS.search, below)):
            folders[aircraft].append(file)
    found = []
    for name, (extremes, members) in CLASSES.items():
        files = [file for member in members.split() for file in _versions(folders[member])]
        if files:
            found.append(
                Entry(
                    name,
                    'aircraft',
                    lambda name=name, extremes=extremes, files=files: _category(
                        name, extremes, files
                    ),
                )
            )
    if not found:
        raise InputError(
            f"{folder} holds no Aircraft/*/*.ac: name the folder of Debian's {PACKAGE}"
        )
    return found


def _below(file: Path) -> tuple[str, ...]:
    """The aircraft's folder, and what follows in the file's path."""
    parts = file.parts
    return parts[parts.index('Aircraft') + 1 :] if 'Aircraft' in parts else ()


def _versions(files: list[Path]) -> list[Path]:
    """Of an aircraft's files, those of different sizes: copies differ in their textures' names."""
    by_size = {file.stat().st_size // 2000: file for file in reversed(files)}
    return sorted(by_size.values())[:3]


def _category(name: str, extremes: list[Extreme], files: list[Path]) -> Category:
    names = [extreme.name for extreme in extremes]
    models = [
        Model(
            name=f'{_below(file)[0]}/{file.stem}',
            pose=lambda rng, file=file: _pose(file, extremes, rng),
            origin=f'{PACKAGE}: Aircraft/{"/".join(_below(file))}',
            creator=CREATOR,
            licence=LICENCE,
        )
        for file in files
    ]
    links = named_links(names, ALONG, ACROSS)
    return Category(name, 'aircraft', names, links, models, swapped_sides(names))


def _pose(file: Path, extremes: list[Extreme], rng: np.random.Generator | None) -> Posed:
    """The aircraft in one of its liveries."""
    parts, names, points = _parts(file)
    liveries = _liveries(file)
    livery = liveries[0 if rng is None else rng.integers(len(liveries))] if liveries else None
    painted = [
        Part(p.vertices, p.normals, p.uv, p.faces, _texture(file, name, livery))
        for p, name in zip(parts, names, strict=True)
    ]
    return Posed(painted, locate(points, extremes))


def _liveries(file: Path) -> list[Path]:
    """Folders of textures that an aircraft may wear."""
    base = next(p for p in file.parents if p.parent.name == 'Aircraft')
    names = {name for name in _read(file)[1] if name}
    folders = sorted({p.parent for name in names for p in base.rglob(name)})
    return folders[:: max(1, len(folders) // MOST_LIVERIES)]


@lru_cache(maxsize=64)
def _picture(path: Path) -> np.ndarray:
    from PIL import Image

    with Image.open(path) as image:
        image.thumbnail((1024, 1024))
        return np.array(image.convert('RGBA'))


def _texture(file: Path, name: str, livery: Path | None) -> np.ndarray:
    """The texture of a name in the livery's folder or near the model; grey if there is none."""
    places = [livery, file.parent, *file.parents[1:3]]
    for place in (place for place in places if place is not None and name):
        path = place / name
        if path.suffix.lower() in PICTURES and path.is_file():
            try:
                return _picture(path)
            except (OSError, ValueError):
                break
    return GREY


GREY = plain_texture(np.full(3, 190))


@lru_cache(maxsize=64)
def _parts(file: Path) -> tuple[list[Part], list[str], np.ndarray]:
    parts, names = _read(file)
    return parts, names, surface(parts)


@lru_cache(maxsize=64)
def _read(file: Path) -> tuple[list[Part], list[str]]:
    """The parts of a model, one a texture, their textures' names; x is left, y up, z the front.

    Raises:
        InputError: the file is no AC3D model, broken or too large.
    """
    try:
        lines = file.read_text('latin-1').splitlines()
        if not lines or not lines[0].startswith('AC3D'):
            raise ValueError('it does not begin with AC3D')
        corners = _corners(line for line in lines[1:] if line.strip())
    except (OSError, ValueError, IndexError, StopIteration) as error:
        raise InputError(f'{file} is no usable AC3D model ({error or "it ends early"})') from error
    count = sum(len(triangles) for triangles in corners.values())
    if not 1 <= count <= MAX_FACES:
        raise InputError(f'{file} has {count} faces, expected 1 to {MAX_FACES}')
    return [_part(np.array(t, np.float32)) for t in corners.values()], list(corners)


def _corners(lines: Iterator[str]) -> dict[str, list]:
    """Triangles by texture: three corners of x, y, z, u, v each, the objects' places added up."""
    triangles: dict[str, list] = defaultdict(list)
    colours: list[list[float]] = []
    stack = [[1, np.eye(3), np.zeros(3)]]  # children to come, turn and place of the objects around
    texture, turn, place, vertices, scale, shift = '', np.eye(3), np.zeros(3), None, (1, 1), (0, 0)
    material = 0
    for line in lines:
        word, *rest = line.split() or ['']
        if word == 'MATERIAL':
            numbers = line[line.index('rgb') + 3 :].split()[:3]
            colours.append([float(n) for n in numbers])
        elif word == 'OBJECT':
            texture, turn, place, vertices = '', np.eye(3), np.zeros(3), np.zeros((0, 3))
            scale, shift = (1.0, 1.0), (0.0, 0.0)
        elif word == 'texture':
            texture = line.split('"')[1].replace('\\\\', '/').rsplit('/', 1)[-1]
        elif word == 'texrep':
            scale = float(rest[0]), float(rest[1])
        elif word == 'texoff':
            shift = float(rest[0]), float(rest[1])
        elif word == 'rot':
            turn = np.array([float(n) for n in rest[:9]]).reshape(3, 3).T
        elif word == 'loc':
            place = np.array([float(n) for n in rest[:3]])
        elif word == 'data':
            next(lines)
        elif word == 'numvert':
            vertices = np.array([next(lines).split()[:3] for _ in range(int(rest[0]))], float)
            vertices = vertices.reshape(-1, 3) @ turn.T + place
            vertices = vertices @ stack[-1][1].T + stack[-1][2]
        elif word == 'SURF':
            polygon = int(rest[0], 16) & 0xF == 0
        elif word == 'mat':
            material = int(rest[0])
        elif word == 'refs':
            corners = []
            for _ in range(int(rest[0])):
                number, u, v = next(lines).split()[:3]
                x, y, z = vertices[int(number)]
                corners.append(
                    (z, y, -x, float(u) * scale[0] + shift[0], 1 - float(v) * scale[1] - shift[1])
                )
            key = texture or '#' + ' '.join(map(str, colours[material] if colours else [1, 1, 1]))
            if polygon:
                for second, third in pairwise(corners[1:]):
                    triangles[key].append((corners[0], second, third))
        elif word == 'kids':
            stack[-1][0] -= 1
            around_turn, around_place = stack[-1][1], stack[-1][2]
            stack.append([int(rest[0]), around_turn @ turn, around_turn @ place + around_place])
            while len(stack) > 1 and stack[-1][0] == 0:
                stack.pop()
    return triangles


def _part(triangles: np.ndarray) -> Part:
    """A part of triangles (F, 3, 5); corners at one place share a normal unless edges are sharp."""
    corners = triangles.reshape(-1, 5)
    flat = np.cross(
        triangles[:, 1, :3] - triangles[:, 0, :3], triangles[:, 2, :3] - triangles[:, 0, :3]
    )
    _, place = np.unique(corners[:, :3].round(4), axis=0, return_inverse=True)
    smooth = np.zeros((place.max() + 1, 3))
    own = np.repeat(flat, 3, axis=0)
    np.add.at(smooth, place.ravel(), own)
    normals = smooth[place.ravel()]
    unit = [n / np.maximum(np.linalg.norm(n, axis=1, keepdims=True), 1e-12) for n in (normals, own)]
    sharp = (unit[0] * unit[1]).sum(1) < 0.7
    normals = np.where(sharp[:, None], unit[1], unit[0])
    data = np.c_[corners[:, :3], normals, corners[:, 3:]].astype(np.float32)
    data, faces = np.unique(data, axis=0, return_inverse=True)
    return Part(data[:, :3], data[:, 3:6], data[:, 6:], faces.reshape(-1, 3).astype(np.int32), GREY)
