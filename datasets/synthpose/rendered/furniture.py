"""Sweet Home 3D's catalogues (Debian's sweethome3d-furniture): furniture, things, vehicles.

A catalogue is a zip file `*.sh3f` of OBJ models with a properties file that tells each model's
name, category, size, creator and the catalogue's licence. Models that share a name, or a word
such as 'chair', make a category.
"""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import numpy as np

from fmmp.errors import InputError

from .camera import rotation
from .extremes import Extreme, both_sides, locate, named_links, surface, swapped_sides
from .meshes import open_archive, read_entry, read_obj
from .model import Category, Entry, Model, Part, Posed

PACKAGE = 'sweethome3d-furniture'
PROPERTIES = 'PluginFurnitureCatalog.properties'

TOP, BOTTOM, LOW = (0.9, 1), (0, 0.05), (0, 0.12)
FEET = both_sides(
    Extreme('front foot', (1, 0, 1), y=BOTTOM), Extreme('back foot', (1, 0, -1), y=BOTTOM)
)
TABLE = FEET + both_sides(
    Extreme('front top corner', (1, 0, 1), y=TOP), Extreme('back top corner', (1, 0, -1), y=TOP)
)
CHAIR = FEET + both_sides(
    Extreme('top of the back', (1, 0.3, 0), y=TOP),
    Extreme('front of the seat', (1, 0.5, 1), y=(0.3, 0.6)),
    Extreme('back of the seat', (1, 0, -1), y=(0.35, 0.6)),
)
ARMCHAIR = FEET + both_sides(
    Extreme('top of the back', (1, 0.5, -0.3), y=TOP, z=(0, 0.6)),
    Extreme('front of the arm', (1, 0.6, 1), x=(0.5, 1), y=(0.4, 0.85)),
    Extreme('back of the arm', (1, 0.3, -1), x=(0.5, 1), y=(0.4, 0.75)),
)
BED = both_sides(
    Extreme('top of the head', (1, 1.5, 0), z=(0, 0.2)),
    Extreme('bottom of the head', (1, -1, -0.5), y=(0, 0.3), z=(0, 0.25)),
    Extreme('top of the foot', (1, 1, 0.5), z=(0.8, 1)),
    Extreme('bottom of the foot', (1, -1, 0.5), y=(0, 0.3), z=(0.8, 1)),
)
BOX = both_sides(
    Extreme('top front corner', (1, 1, 1)),
    Extreme('bottom front corner', (1, -1, 1)),
    Extreme('top back corner', (1, 1, -1)),
    Extreme('bottom back corner', (1, -1, -1)),
)
THING = [
    *BOX,
    Extreme('top', (0, 1, 0)),
    Extreme('bottom', (0, -1, 0)),
    *both_sides(Extreme('side', (1, 0, 0))),
    Extreme('front', (0, 0, 1)),
    Extreme('back', (0, 0, -1)),
]
UPRIGHT = [
    *both_sides(
        Extreme('edge of the top', (1, 0, 0), y=(0.94, 1)),
        Extreme('edge above the middle', (1, 0, 0), y=(0.6, 0.75)),
        Extreme('widest', (1, 0, 0)),
        Extreme('edge below the middle', (1, 0, 0), y=(0.25, 0.4)),
        Extreme('edge of the foot', (1, 0, 0), y=BOTTOM),
    ),
    Extreme('top', (0, 1, 0)),
]
CAR = both_sides(
    Extreme('front wheel', (0.3, -1, 0), x=(0.5, 1), y=(0, 0.2), z=(0.6, 1)),
    Extreme('back wheel', (0.3, -1, 0), x=(0.5, 1), y=(0, 0.2), z=(0, 0.4)),
    Extreme('front corner', (1, 0, 1), y=(0.25, 0.6)),
    Extreme('back corner', (1, 0, -1), y=(0.25, 0.6)),
    Extreme('front of the roof', (1, 0, 0.7), y=(0.93, 1)),
    Extreme('back of the roof', (1, 0, -0.7), y=(0.93, 1)),
)
BICYCLE = [
    Extreme('bottom of the front wheel', (0, -1, 0), z=(0.5, 1)),
    Extreme('front of the front wheel', (0, 0, 1), y=(0, 0.6)),
    Extreme('bottom of the back wheel', (0, -1, 0), z=(0, 0.5)),
    Extreme('back of the back wheel', (0, 0, -1), y=(0, 0.6)),
    Extreme('top of the front', (0, 1, 0), z=(0.5, 1)),
    Extreme('top of the back', (0, 1, 0), z=(0, 0.45)),
    *both_sides(Extreme('handle', (1, 0, 0), y=(0.6, 1))),
]
ALONG = [  # links on either side, of all of these
    ('front top corner', 'back top corner'),
    ('front top corner', 'front foot'),
    ('back top corner', 'back foot'),
    ('top of the back', 'back of the seat'),
    ('back of the seat', 'front of the seat'),
    ('front of the seat', 'front foot'),
    ('back of the seat', 'back foot'),
    ('top of the back', 'back of the arm'),
    ('back of the arm', 'front of the arm'),
    ('front of the arm', 'front foot'),
    ('back of the arm', 'back foot'),
    ('top of the head', 'bottom of the head'),
    ('bottom of the head', 'bottom of the foot'),
    ('top of the foot', 'bottom of the foot'),
    ('top front corner', 'top back corner'),
    ('bottom front corner', 'bottom back corner'),
    ('top front corner', 'bottom front corner'),
    ('top back corner', 'bottom back corner'),
    ('edge of the top', 'edge above the middle'),
    ('edge above the middle', 'edge below the middle'),
    ('edge below the middle', 'edge of the foot'),
    ('front wheel', 'front corner'),
    ('front corner', 'front of the roof'),
    ('front of the roof', 'back of the roof'),
    ('back of the roof', 'back corner'),
    ('back corner', 'back wheel'),
    ('front wheel', 'back wheel'),
    ('front of the front wheel', 'bottom of the front wheel'),
    ('back of the back wheel', 'bottom of the back wheel'),
    ('bottom of the front wheel', 'bottom of the back wheel'),
    ('front of the front wheel', 'top of the front'),
    ('back of the back wheel', 'top of the back'),
    ('top of the front', 'handle'),
]
ACROSS = [
    *('front top corner', 'back top corner', 'top of the back', 'front of the seat'),
    *('back of the seat', 'top of the head', 'bottom of the head', 'top of the foot'),
    *('bottom of the foot', 'top front corner', 'top back corner', 'bottom front corner'),
    *('bottom back corner', 'edge of the top', 'edge of the foot', 'front corner'),
    *('back corner', 'front of the roof', 'back of the roof'),
]


@dataclass(frozen=True)
class Family:
    """Names that make a category.

    Attributes:
        pattern: what the whole name in small letters must match.
        category: its name; None for the model's own.
        kind: 'furniture', 'vehicle', ….
        extremes: its keypoints.
        turn: how far it turns to either side.
        spun: whether it looks alike all round: it is turned at random, and its sides are those
            seen.
    """

    pattern: str
    category: str | None
    kind: str
    extremes: list[Extreme]
    turn: float = np.pi
    spun: bool = False


QUARTER = 0.7  # radians: things whose back looks like their front
FAMILIES = [  # the first that fits
    Family(r'abdominal bench', None, 'thing', THING),
    Family(r'biplane', 'toy biplane', 'thing', THING),
    Family(r'deer', 'stuffed deer', 'thing', THING),
    Family(r'.*\barmchair|baby high chair|wheelchair', 'armchair', 'furniture', ARMCHAIR),
    Family(
        r'.*(deck|beach|relax|pool) (chair|lounge)|armchair ottoman',
        'deck chair',
        'furniture',
        ARMCHAIR,
    ),
    Family(r'.*\b(chair|class seat)\b.*', 'chair', 'furniture', CHAIR),
    Family(r'corner sofa', 'corner sofa', 'furniture', ARMCHAIR),
    Family(r'opened convertible.*', None, 'furniture', BOX),
    Family(r'.*\b(sofa|couch|futon)\b.*', 'sofa', 'furniture', ARMCHAIR),
    Family(r'.*\bstool|puff', 'stool', 'furniture', TABLE, QUARTER),
    Family(r'.*(coffee table).*', 'coffee table', 'furniture', TABLE, QUARTER),
    Family(r'bedside table', 'bedside table', 'furniture', TABLE),
    Family(r'(pool|football) table|table tennis', 'games table', 'furniture', TABLE, QUARTER),
    Family(r'(changing|dressing) table', None, 'furniture', TABLE),
    Family(r'.*\bdesk( table)?|workbench', 'desk', 'furniture', TABLE),
    Family(r'(?!table (fan|tennis)).*\btables?\b.*', 'table', 'furniture', TABLE, QUARTER),
    Family(r'.*\bbench\b|little bank|wood bank', 'bench', 'furniture', TABLE, QUARTER),
    Family(r'(bunk|mezzanine) bed', 'bunk bed', 'furniture', BED),
    Family(r'crib|baby bed', 'baby bed', 'furniture', BED),
    Family(r'.*\bbed', 'bed', 'furniture', BED),
    Family(r'wardrobe|cupboard|locked locker', 'wardrobe', 'furniture', BOX),
    Family(
        r'(upper|small upper|upper shelves|upper corner) cabinet', 'upper cabinet', 'furniture', BOX
    ),
    Family(r'.*\bcabinet|island.*|tv stand|safe', 'cabinet', 'furniture', BOX),
    Family(r'.*(bookcase|shelves|spice tower)', 'shelves', 'furniture', BOX),
    Family(r'dresser.*|chest|trunck', 'chest', 'furniture', BOX),
    Family(r'(washbasin|sink|basin|small lavatory|.*vanity)', 'washbasin', 'furniture', THING),
    Family(r'toilets unit|bidet', 'toilet', 'furniture', CHAIR),
    Family(r'.*\bbath(tub)?', 'bath', 'furniture', BOX, QUARTER),
    Family(r'radiator', 'radiator', 'furniture', BOX, QUARTER),
    Family(r'.*(washing|dryer) machine|.*\boven|.*\bstove|cooker', 'oven', 'furniture', BOX),
    Family(r'.*fridge|refrigerator', 'fridge', 'furniture', BOX),
    Family(r'.*trash ?can|dustbin|.*\bbin|bullet trash can', 'dustbin', 'thing', THING),
    Family(r'upright piano|grand piano', 'piano', 'furniture', BOX),
    Family(r'fireplace', 'fireplace', 'furniture', BOX),
    Family(r'.*stone lantern', 'stone lantern', 'thing', UPRIGHT, 0.5, True),
    Family(r'desk lamp', 'desk lamp', 'thing', THING),
    Family(
        r'(little |pedestal vase )?lamp|candle|camping lamp|japanese lantern',
        'lamp',
        'thing',
        UPRIGHT,
        0.5,
        True,
    ),
    Family(
        r'(classic lamppost|street (lamp|light)|park light|outdoor lamp)',
        'street lamp',
        'thing',
        UPRIGHT,
        0.5,
    ),
    Family(
        r'(hanging light|pendant lamp|ceiling lamp|chandelier lamp)',
        'hanging lamp',
        'thing',
        UPRIGHT,
        0.5,
        True,
    ),
    Family(r'vase|pottery|old jar', 'vase', 'thing', UPRIGHT, 0.4, True),
    Family(r'.*bottle|flacon', 'bottle', 'thing', UPRIGHT, 0.4, True),
    Family(r'.*\bglass', 'glass', 'thing', UPRIGHT, 0.4, True),
    Family(r'.*\b(cup|mug)', 'cup', 'thing', UPRIGHT, 0.5),
    Family(r'bowl.*|large pan', 'bowl', 'thing', UPRIGHT, 0.4, True),
    Family(
        r'.*\bplant|yucca|ficus|cactus|spathiphyllum|bonsai tree|bamboo',
        'pot plant',
        'plant',
        UPRIGHT,
        0.5,
        True,
    ),
    Family(r'flowers|tulips|orchids|white lily', 'flowers', 'plant', UPRIGHT, 0.5, True),
    Family(
        r'.*(pine|(palm|coconut|christmas) tree|acacia|beech|cypress|maple|poplar|peach).*|bush',
        'tree',
        'plant',
        UPRIGHT,
        0.5,
        True,
    ),
    Family(r'bicycle|bike', 'bicycle', 'vehicle', BICYCLE),
    Family(r'motorbike|scooter|yamaha.*', 'motorbike', 'vehicle', BICYCLE),
    Family(r'.*\bbus|truck|van', 'bus or truck', 'vehicle', CAR),
    Family(
        r'chevrolet|concept sedan.*|(ford|peugeot|renault|seat|smart|vw) .*|suv|car model',
        'car',
        'vehicle',
        CAR,
    ),
    Family(
        r'fork lift|stroller|tricycle|mower|wheelbarrow|skateboard|rowboat',
        None,
        'vehicle',
        THING,
    ),
    Family(r'.*\b(screen|tv( 16:9)?|imac.*|wall flat tv)', 'screen', 'thing', BOX),
    Family(r'laptop|apple ibook', 'laptop', 'thing', BOX),
    Family(r'.*\bphone|.*iphone', 'phone', 'thing', BOX),
    Family(r'.*\bcamera', 'camera', 'thing', BOX),
    Family(r'.*\bbox', 'box', 'thing', BOX, QUARTER),
    Family(r'speaker|mini stereo|.*amplifier', 'speaker', 'thing', BOX),
    Family(r'.*towel( rack)?', 'towel', 'thing', BOX, QUARTER),
    Family(r'.*railing|fence|hedge|high hedge', 'railing', 'thing', BOX, QUARTER),
    Family(r'.*\bdoor( with panes)?', 'door', 'furniture', BOX, QUARTER),
    Family(r'.*\b(window|french window)\b.*', 'window', 'furniture', BOX, QUARTER),
    Family(
        r'(knife|kitchen knife|fork|spoon|tool|pencil|brush|comb|shovel|screwdriver|hammer|saw)',
        None,
        'thing',
        THING,
        QUARTER,
    ),
]
LEFT_OUT = re.compile(  # people and animals, flat things, and what is too small or too plain
    r'parking.*|pedestrian crossing|arrow.*|bill .*|rails|rail crossing|.*swimming pool|'
    r'.*(plug|switch|socket).*|.*carpet|.*rug|.*mat|tatami|.*sidewalk|newspaper|puzzle|ring|ruler|'
    r'smoke detector|.*curtain|.*fluorescent.*|sandpit|rock|.*ball|ashtray|hashtray|.*plate.*|'
    r'steak|barnum|escalator|elevator.*|mannequin.*|contemporary living room'
)
OTHERS = Family('.*', None, 'thing', THING)


@dataclass(frozen=True)
class Listing:
    """A model as a catalogue lists it."""

    catalogue: str
    path: str
    name: str
    group: str
    creator: str
    licence: str
    size: tuple[float, float, float]
    rotation: tuple[float, ...]


def categories(folder: str | Path) -> list[Entry]:
    """The categories of all catalogues in a folder, in the order of their names.

    Raises:
        InputError: the folder holds no catalogue, or one cannot be read.
    """
    files = sorted(Path(folder).rglob('*.sh3f'))
    if not files:
        raise InputError(f"{folder} holds no *.sh3f: name the folder of Debian's {PACKAGE}")
    members, families = defaultdict(list), {}
    for listing in (listing for file in files for listing in listings(file)):
        name = listing.name.lower()
        if listing.group == 'Characters' or LEFT_OUT.fullmatch(name):
            continue
        family = next(f for f in [*FAMILIES, OTHERS] if re.fullmatch(f.pattern, name))
        category = family.category or name
        families.setdefault(category, family)
        members[category].append(listing)
    return [
        Entry(
            name,
            families[name].kind,
            lambda name=name: _category(name, families[name], members[name]),
        )
        for name in sorted(members)
    ]


def listings(file: Path) -> list[Listing]:
    """The models that a catalogue lists.

    Raises:
        InputError: it is no catalogue.
    """
    text = read_entry(open_archive(str(file)), PROPERTIES).decode('latin-1')
    general, models = {}, defaultdict(dict)
    for line in text.splitlines():
        if not line.startswith('#') and '=' in line:
            key, value = (_plain(side) for side in line.split('=', 1))
            key, _, number = key.partition('#')
            (models[number] if number else general)[key] = value
    try:
        return [
            Listing(
                catalogue=str(file),
                path=model['model'],
                name=model['name'],
                group=model.get('category', ''),
                creator=model.get('creator', 'unknown'),
                licence=general.get('license', 'unknown'),
                size=tuple(float(model[side]) for side in ('width', 'height', 'depth')),
                rotation=tuple(map(float, model.get('modelRotation', '1 0 0 0 1 0 0 0 1').split())),
            )
            for model in models.values()
            if 'model' in model
        ]
    except (KeyError, ValueError) as error:
        raise InputError(
            f'{file}: {PROPERTIES} lacks a property or has a bad one: {error}'
        ) from error


def _plain(text: str) -> str:
    """A property's text, its escapes replaced."""
    return re.sub(r'\\u([0-9a-fA-F]{4})', lambda code: chr(int(code[1], 16)), text).strip()


def _category(name: str, family: Family, members: list[Listing]) -> Category:
    """The category of a family's listings."""
    names = [extreme.name for extreme in family.extremes]
    models = [
        Model(
            name=listing.path.strip('/').rsplit('.', 1)[0],
            pose=lambda rng, listing=listing: _pose(listing, family, rng),
            origin=f'{PACKAGE}: {Path(listing.catalogue).name}/{listing.path.lstrip("/")}',
            creator=listing.creator,
            licence=listing.licence,
        )
        for listing in members
    ]
    links, swap = named_links(names, ALONG, ACROSS), swapped_sides(names)
    return Category(name, family.kind, names, links, models, swap, family.turn)


def _pose(listing: Listing, family: Family, rng: np.random.Generator | None) -> Posed:
    """A rigid model; one that looks alike all round is turned at random."""
    parts, points = _parts(listing)
    if not family.spun or rng is None:
        return Posed(parts, locate(points, family.extremes))
    turn = rotation(1, rng.uniform(0, 2 * np.pi)).astype(np.float32)
    return Posed(_turned(parts, turn), locate(points @ turn.T, family.extremes))


def _turned(parts: list[Part], turn: np.ndarray) -> list[Part]:
    """Parts turned by a matrix (3, 3)."""
    return [replace(p, vertices=p.vertices @ turn.T, normals=p.normals @ turn.T) for p in parts]


@lru_cache(maxsize=128)
def _parts(listing: Listing) -> tuple[list[Part], np.ndarray]:
    """A model's parts, in its catalogue's size in metres, and points of its surface.

    Raises:
        InputError: its file is broken.
    """
    parts = read_obj(open_archive(listing.catalogue), listing.path)
    parts = _turned(parts, np.array(listing.rotation, np.float32).reshape(3, 3))
    vertices = np.concatenate([part.vertices for part in parts])
    extent = np.maximum(np.ptp(vertices, axis=0), 1e-6)
    scale = (np.array(listing.size) / 100 / extent).astype(np.float32)
    normals = [part.normals / scale for part in parts]
    parts = [
        replace(part, vertices=part.vertices * scale, normals=normal.astype(np.float32))
        for part, normal in zip(parts, normals, strict=True)
    ]
    return parts, surface(parts)
