"""0 A.D.'s birds, fish and whales: which meshes are of one kind, and where their keypoints lie."""

from __future__ import annotations

from functools import partial

from .anatomy import Animal, Body, Kind, Place, Point, both_sides

Tips = dict[str, tuple[str, tuple[float, float, float]]]
"""Keypoints that are a bone's outermost skin: the bone, and the direction on the left."""

STANDING_MIDDLE = [
    *('beak tip', 'crest tip', 'crown', 'nape', 'throat', 'breast', 'back', 'belly', 'tail tip')
]
STANDING = STANDING_MIDDLE + both_sides(['eye', 'hock', 'foot'])
STANDING_PATHS = [
    ('beak tip', 'crown', 'nape', 'back', 'tail tip'),
    ('crown', 'crest tip'),
    ('beak tip', 'throat', 'breast', 'belly', 'tail tip'),
    ('beak tip', 'eye'),
    ('belly', 'hock', 'foot'),
]
FLYING_MIDDLE = ['beak tip', 'crown', 'back', 'belly', 'tail tip']
FLYING = FLYING_MIDDLE + both_sides(['eye', 'wing base', 'wing bend', 'wing tip', 'tail corner'])
FLYING_PATHS = [
    ('beak tip', 'crown', 'back', 'tail tip'),
    ('beak tip', 'eye'),
    ('beak tip', 'belly', 'tail tip'),
    ('back', 'wing base', 'wing bend', 'wing tip'),
    ('tail tip', 'tail corner'),
]
FISH_MIDDLE = [
    *('snout', 'dorsal fin tip', 'anal fin tip', 'tail base', 'upper tail tip', 'lower tail tip')
]
FISH = FISH_MIDDLE + both_sides(['eye', 'pectoral fin tip'])
FISH_PATHS = [
    ('snout', 'dorsal fin tip', 'tail base', 'upper tail tip'),
    ('snout', 'anal fin tip', 'tail base', 'lower tail tip'),
    ('snout', 'eye', 'pectoral fin tip'),
]
WHALE_MIDDLE = ['snout', 'dorsal fin tip', 'tail base']
WHALE = WHALE_MIDDLE + both_sides(['eye', 'flipper tip', 'fluke tip'])
WHALE_PATHS = [
    ('snout', 'dorsal fin tip', 'tail base', 'fluke tip'),
    ('snout', 'eye', 'flipper tip'),
]
MIDDLE = list(dict.fromkeys(STANDING_MIDDLE + FLYING_MIDDLE + FISH_MIDDLE + WHALE_MIDDLE))


def find(body: Body, places: dict[str, Place | None], tips: Tips) -> dict[str, Point | None]:
    """The keypoints by name: those at places, and those at bones' outermost skin."""
    result = body.at_places(places, MIDDLE)
    for name, (bone, way) in tips.items():
        if name in MIDDLE:
            result[name] = body.tip([bone], way, middle=True)
            continue
        for side, x in (('left', 1), ('right', -1)):
            # Either side's bone, as some skeletons are named from in front.
            bones = [bone.format(letter) for letter in 'LR']
            result[f'{side} {name}'] = body.tip(bones, (x * way[0], way[1], way[2]), side=x)
    return result


def _animal(
    mesh: str, rig: tuple[str, str, str], places: dict[str, Place | None], tips: Tips | None = None
) -> Animal:
    """An animal of a skeleton's file and the bones that tell where it faces."""
    return Animal(mesh, *rig, partial(find, places=places, tips=tips or {}))


NO_BONES = ('', '', '')
FLYER = ('hawk', 'Head', 'Tail')
FLYER_TIPS: Tips = {
    'beak tip': ('Head', (0, 0, 1)),
    'tail tip': ('Tail', (0, 0, -1)),
    'tail corner': ('Tail', (1, 0, -0.5)),
    'wing tip': ('Digit_{0}', (1, 0, 0)),
}

KINDS = [
    Kind(
        'chicken',
        'bird',
        STANDING,
        STANDING_PATHS,
        [
            _animal(
                'chicken',
                ('chicken', 'Head', 'Tail'),
                {
                    'beak tip': (1.145, 0.61),
                    'eye': (1.26, 0.46),
                    'crown': (1.365, 0.365),
                    'nape': (1.16, 0.225),
                    'throat': (1.14, 0.495),
                    'breast': (0.785, 0.48),
                    'back': (0.9, -0.118),
                    'belly': (0.255, -0.053),
                    'tail tip': (1.21, -0.65),
                    'hock': (0.17, -0.01),
                    'foot': (0.15, 0.0, 0.15),
                },
            )
        ],
    ),
    Kind(
        'peacock',
        'bird',
        STANDING,
        STANDING_PATHS,
        [
            _animal(
                'peacock',
                ('peacock', 'Head', 'tailHolder_Back'),
                {
                    'beak tip': (1.66, 1.4),
                    'eye': (1.76, 1.18),
                    'crest tip': (2.04, 1.07),
                    'nape': (1.43, 0.84),
                    'throat': (1.62, 1.1),
                    'breast': (1.15, 0.84),
                    'back': (1.5, -0.18),
                    'belly': (0.67, -0.01),
                    'tail tip': (1.37, -3.22),
                    'hock': (0.43, 0.07),
                    'foot': (0.2, 0.0, 0.3),
                },
            )
        ],
    ),
    Kind(
        'flying bird',
        'bird',
        FLYING,
        FLYING_PATHS,
        [
            _animal(
                'hawk',
                FLYER,
                {
                    'crown': (0.1, 1.54),
                    'back': (0.17, 0.46),
                    'belly': (-0.15, 0.46),
                    'wing bend': (1.5, 0.2, 1.35),
                },
                FLYER_TIPS,
            ),
            _animal(
                'crow',
                FLYER,
                {
                    'eye': (0.07, 1.22),
                    'crown': (0.157, 1.14),
                    'back': (0.2, 0.65),
                    'belly': (-0.21, 0.65),
                    'wing base': (0.28, 0.05, 0.98),
                    'wing bend': (1.12, 0.14, 1.0),
                },
                FLYER_TIPS,
            ),
            _animal(
                'seagull',
                FLYER,
                {
                    'eye': (0.15, 1.25),
                    'crown': (0.23, 1.23),
                    'back': (0.18, 0.82),
                    'belly': (-0.21, 0.82),
                    'wing bend': (0.7, 0.05, 0.83),
                },
                FLYER_TIPS,
            ),
        ],
    ),
    Kind(
        'fish',
        'fish',
        FISH,
        FISH_PATHS,
        [
            _animal(
                'animal_tuna',
                ('tuna', 'tuna_head', 'tuna_tail_02'),
                {
                    'snout': (0.14, 1.21),
                    'eye': (0.165, 0.927),
                    'dorsal fin tip': (0.76, 0.315),
                    'tail base': (0.14, -1.29),
                    'upper tail tip': (0.53, -1.58),
                    'lower tail tip': (-0.26, -1.56),
                    'anal fin tip': (-0.31, -0.56),
                    'pectoral fin tip': (0.58, 0.07, 0.05),
                },
            ),
            _animal(
                'fish_single',
                ('fish_single', 'Fish_head', 'Fish_tail'),
                {
                    'snout': (0.0, 0.46),
                    'eye': (0.025, 0.408),
                    'dorsal fin tip': (0.142, -0.11),
                    'tail base': (0.01, -0.35),
                    'upper tail tip': (0.104, -0.48),
                    'lower tail tip': (-0.13, -0.48),
                    'pectoral fin tip': (0.156, -0.07, 0.1),
                },
            ),
            _animal(
                'shark',
                ('shark', 'Front', 'Tail'),
                {
                    'snout': (0.1, 4.19),
                    'eye': (0.0, 3.2),
                    'dorsal fin tip': (1.7, -0.9),
                    'tail base': (-0.2, -4.0),
                    'upper tail tip': (1.1, -6.85),
                    'lower tail tip': (-1.6, -5.8),
                    'pectoral fin tip': (1.85, -0.65, 0.4),
                },
            ),
        ],
    ),
    Kind(
        'whale',
        'fish',
        WHALE,
        WHALE_PATHS,
        [
            _animal(
                'whale_fin',
                ('whale', 'head', 'tail'),
                {
                    'snout': (-0.75, 10.64),
                    'eye': (-0.65, 6.35),
                    'dorsal fin tip': (0.81, -4.25),
                    'tail base': (-1.2, -9.9),
                    'fluke tip': (3.1, -1.2, -12.0),
                    'flipper tip': (4.2, -1.7, 0.8),
                },
            ),
            _animal(
                'whale',
                NO_BONES,
                {
                    'snout': (2.3, 8.4),
                    'tail base': (2.9, -6.5),
                    'fluke tip': (4.1, 2.1, -7.7),
                    'flipper tip': (4.3, 0.6, 2.0),
                },
            ),
        ],
    ),
]
