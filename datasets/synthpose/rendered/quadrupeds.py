"""0 A.D.'s four-legged animals: which meshes are of one kind, and where their keypoints lie.

Bones' names are those of the standard skeletons. '{0}' and '{1}' stand for a side's short and long
name, '{2}' for what else tells them apart; 'one|two' is the middle of two joints. Left is told by
the place, as some skeletons are named from in front.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np

from .anatomy import Animal, Body, Kind, Place, Point, both_sides


@dataclass(frozen=True)
class Limbs:
    """The bones of a four-legged skeleton.

    Attributes:
        skeleton: its file, or the bones' names where the package has no file.
        head: bones whose skin the nose is the outermost of.
        tail: bones, the first one beginning at the tail's base.
        front: shoulder, elbow, wrist and foot of a side.
        hind: hip, knee, hock and foot of a side.
        ear: bones of a side, none where an animal has no bones for ears.
        sides: short and long name of left, and of right.
        nose_way: the direction in which the nose is outermost.
        ear_way: that of the ears' tips, on the left; None for farthest from where they begin.
    """

    skeleton: str | tuple[str, ...]
    head: tuple[str, ...]
    tail: tuple[str, ...]
    front: tuple[str, str, str, str]
    hind: tuple[str, str, str, str]
    ear: tuple[str, ...] = ()
    sides: tuple[tuple[str, ...], tuple[str, ...]] = (('L', 'left'), ('R', 'right'))
    nose_way: tuple[float, float, float] = (0, 0, 1)
    ear_way: tuple[float, float, float] | None = None


def _chain(pattern: str, numbers: range) -> tuple[str, ...]:
    return tuple(pattern.format(i) for i in numbers)


LOWER = (('l', 'left'), ('r', 'right'))
LION = (
    'root pelvis rump spine chest neck head '
    'shoulder_L foreleg_top_L foreleg_L forearm_L forefoot_L '
    'shoulder_R foreleg_top_R foreleg_R forearm_R forefoot_R '
    'hip_L thigh_L shin_L foot_L hip_R thigh_R shin_R foot_R tail tail_end'
)

LIMBS = {
    'horse': Limbs(
        'horse',
        ('head',),
        ('tail_base', 'tail', *_chain('tail{}', range(2, 11))),
        ('{0}_upperarm', '{0}_arm', '{0}_forearm', '{0}_hoof'),
        ('{0}_thigh', '{0}_leg', '{0}_shin', '{0}_hoof_back'),
        ('{0}_ear', '{0}_ear_2'),
        LOWER,
    ),
    'donkey': Limbs(
        'horse_old',
        ('head',),
        ('tail', 'tail1'),
        ('{0}_upperarm', '{0}_forearm', '{0}_hand', '{0}_finger'),
        ('{0}_thigh', '{0}_calf', '{0}_foot', '{0}_toe'),
        sides=LOWER,
    ),
    'zebra': Limbs(
        'zebra',
        ('head',),
        ('tail_start', 'tail_middle', 'tail_tip'),
        ('{1}_shoulder', '{1}_leg', '{1}_shin', '{1}_foot'),
        ('{1}_pelvis', 'rear_{1}_leg', 'rear_{1}_shin', 'rear_{1}_foot'),
        ('{1}_ear',),
    ),
    'cattle': Limbs(
        'bovidae_skeleton',
        ('Bovidae_Head',),
        ('Bovidae_Tail', 'Bovidae_TailMid', 'Bovidae_TailTip'),
        (
            'Bovidae_FrontLegTop_{0}',
            'Bovidae_FrontThigh_{0}',
            'Bovidae_FrontCalf_{1}',
            'Bovidae_FrontFoot_{1}',
        ),
        (
            'Bovidae_ReartLegTop_{0}',
            'Bovidae_RearThigh_{0}',
            'Bovidae_RearCalf_{1}',
            'Bovidae_RearFoot_{1}',
        ),
        ('Bovidae_ear_{0}', 'Bovidae_eartip_{0}'),
    ),
    'deer': Limbs(
        'deer',
        ('head',),
        ('tail', 'tail1'),
        ('{0}_clavicle', '{0}_upperarm', '{0}_forearm', '{0}_hand'),
        ('{0}_thigh', '{0}_calf', '{0}_foot', '{0}_toe'),
        ('{0}_ear',),
        LOWER,
    ),
    'camel': Limbs(
        'camelus',
        (
            'Camelus_Head',
            'Camelus_Top_Jaw',
            'Camelus_Top_Jaw_R',
            'Camelus_Top_Jaw_L',
            'Camelus_Bot_Jaw_1',
            'Camelus_Bot_Jaw_2',
        ),
        ('Camelus_Tail', *_chain('Camelus_Tail_0{}', range(1, 4))),
        ('Camelus_upperarm_{0}', 'Camelus_Arm_{0}', 'Camelus_Forearm_{0}', 'Camelus_Hoof_{0}'),
        ('Camelus_Leg_{0}', 'Camelus_Foreleg_{0}', 'Camelus_Shin_{0}', 'Camelus_Hoof_back_{0}'),
    ),
    'giraffe': Limbs(
        'giraffe',
        ('head',),
        ('tail_02', 'tail_03'),
        ('{1}_f_leg_top', '{1}_f_leg_mid', '{1}_f_leg_bottom', '{1}_f_foot'),
        ('{1}_r_leg_top', '{1}_r_leg_mid', '{1}_r_leg_bottom', '{1}_r_foot'),
    ),
    'goat': Limbs(
        'goat',
        ('head',),
        ('tail',),
        ('thigh_front_{0}', 'calf_front_{0}', 'foot_front_{0}', 'foot_front_tip_{0}'),
        ('thigh_back_{0}', 'calf_back_{0}', 'foot_back_{0}', 'foot_back_tip_{0}'),
        sides=LOWER,
    ),
    'sheep': Limbs(
        'sheep',
        ('Head',),
        ('Tail',),
        ('Shoulder_{1}', 'Arm_{1}', 'Forearm_{1}', 'Hand_{1}'),
        ('Pelvis_{1}', 'Leg_{1}', 'Shin_{1}', 'Foot_{1}'),
        sides=(('L', 'Left'), ('R', 'Right')),
    ),
    'pig': Limbs(
        'boar',
        ('Boar_Head', 'Boar_Jaw'),
        ('Boar_Tail',),
        ('Boar_Shoulder_{1}', 'Boar_Front_Leg_{1}', 'Boar_Forearm_{1}', 'Boar_Front_Foot_{1}'),
        ('Boar_Hip_{1}', 'Boar_Back_Leg_{1}', 'Boar_Shin_{1}', 'Boar_Back_Foot_{1}'),
        ('Boar_Ear_{1}',),
        (('L', 'Left'), ('R', 'Right')),
    ),
    'bear': Limbs(
        'ursidae_armature',
        ('Ursidae_Head', 'Ursidae_Jaw_01', 'Ursidae_Jaw_02'),
        ('Ursidae_Pelvis',),
        ('Ursidae_Upperarm_{0}', 'Ursidae_Forearm_{0}', 'Ursidae_Paw_{0}', 'Ursidae_Claw_{0}'),
        ('Ursidae_Leg_{0}', 'Ursidae_Shin_{0}', 'Ursidae_Ankle_{0}', 'Ursidae_Toe_{0}'),
        ('Ursidae_ear_{0}', 'Ursidae_ear_2_{0}'),
    ),
    'hippopotamus': Limbs(
        'hippopotamus_armature',
        ('Hippopotamidae_Head', 'Hippopotamidae_Jaw_01', 'Hippopotamidae_Jaw_02'),
        ('Hippopotamidae_Pelvis',),
        (
            'Hippopotamidae_Upperarm_{0}',
            'Hippopotamidae_Arm_{0}',
            'Hippopotamidae_Forearm_{0}',
            'Hippopotamidae_Paw_{0}',
        ),
        (
            'Hippopotamidae_Leg_{0}',
            'Hippopotamidae_Foreleg_{0}',
            'Hippopotamidae_Ankle_{0}',
            'Hippopotamidae_Toe_{0}',
        ),
        ('Hippopotamidae_ear_{0}',),
    ),
    'rhinoceros': Limbs(
        'rhino',
        ('head',),
        ('tail1', 'tail2'),
        ('shoulder_{0}', 'leg_upper_{0}', 'leg_{0}', 'foot_front_{0}'),
        ('thigh_{0}', 'thigh_{0}', 'leg_back_{0}', 'foot_back_{0}'),
        ('ear_{0}',),
    ),
    'elephant': Limbs(
        'elephantidae_asian',
        ('Elephantidae_Trunk_10', 'Elephantidae_Trunk_11'),
        _chain('Elephantidae_Tail_{}', range(1, 8)),
        (
            'Elephantidae_Shouder_{0}|Elephantidae_Arm_{0}',
            'Elephantidae_Arm_{0}',
            'Elephantidae_Forearm_{0}',
            'Elephantidae_Hand_{0}',
        ),
        (
            'Elephantidae_Pelvis|Elephantidae_Leg_{0}',
            'Elephantidae_Shin_{0}',
            'Elephantidae_Foot_{0}',
            'Elephantidae_Foot_{0}',
        ),
        ('Elephantidae_Ear_2_{0}', 'Elephantidae_Ear_3_{0}'),
        nose_way=(0, -1, 0),
        ear_way=(1, 0, -0.5),
    ),
    'crocodile': Limbs(
        'crocodile',
        ('TopJaw',),
        ('Tail1', 'Tail2', 'Tail3'),
        ('Front{0}Knee', 'Front{0}Leg', 'Front{0}Foot', 'Front{0}Foot'),
        ('Back{0}Knee', 'Back{0}Leg', 'Back{0}Foot', 'Back{0}Foot'),
    ),
    'lion': Limbs(
        tuple(LION.split()),
        ('head',),
        ('tail', 'tail_end'),
        ('foreleg_top_{0}', 'foreleg_{0}', 'forefoot_{0}', 'forefoot_{0}'),
        ('hip_{0}', 'thigh_{0}', 'shin_{0}', 'foot_{0}'),
    ),
    'tiger': Limbs(
        'feline_blender',
        ('head', 'jaw'),
        _chain('tail_{}', range(1, 8)),
        ('leg_front_top_{0}', 'leg_front_mid_{0}', 'leg_front_bot_{0}', 'leg_front_foot_{0}'),
        ('leg_back_top_{0}', 'leg_back_mid_{0}', 'leg_back_bot_{0}', 'leg_back_foot_{0}'),
        ('ear_{0}',),
    ),
    'wolf': Limbs(
        'wolf',
        ('Head', 'Jaw1'),
        _chain('Tail{}', range(1, 5)),
        ('FrontLeg1_{0}', 'FrontLeg2_{0}', 'FrontLeg3_{0}', 'FrontToe_{0}'),
        ('BackLeg1_{0}', 'BackLeg2_{0}', 'BackLeg3_{0}', 'BackToe_{0}'),
    ),
    'mastiff': Limbs(
        'mastiff',
        ('Head', 'Jaw1'),
        ('Tail1', 'Tail2', 'Tail2_001', 'Tail3', 'Tail4'),
        ('FrontLeg1_{0}', 'FrontLeg2_{0}', 'FrontLeg3_{0}', 'FrontToe_{0}'),
        ('BackLeg1_{0}', 'BackLeg2_{0}', 'BackLeg3_{0}', 'BackToe_{0}'),
        ('ear2_{0}', 'ear3_{0}'),
    ),
    'wolfhound': Limbs(
        'wolfhound',
        ('Head', 'Jaw1'),
        _chain('Tail{}', range(1, 6)),
        ('FrontLeg1_{0}', 'FrontLeg2_{0}', 'FrontLeg3_{0}', 'FrontToe_{0}'),
        ('BackLeg1_{0}', 'BackLeg2_{0}', 'BackLeg3_{0}', 'BackToe_{0}'),
        ('ear1_{0}', 'ear2_{0}'),
    ),
    'fox': Limbs(
        'fox_armature',
        ('Fox_head', 'Fox_head2', 'Fox_jaw1'),
        _chain('Fox_Tail{}', range(1, 5)),
        ('Fox_FrontLeg1_{0}', 'Fox_FrontLeg2_{0}', 'Fox_FrontLeg3_{0}', 'Fox_FrontToe_{0}'),
        ('Fox_{2}BackLeg1_{0}', 'Fox_BackLeg2_{0}', 'Fox_BackLeg3_{0}', 'Fox_BackToe_{0}'),
        ('Fox_ear_{0}',),
        (('L', 'left', ''), ('R', 'right', 'Fox_')),
    ),
}


MIDDLE = ['nose', 'withers', 'tail base', 'tail tip']
FRONT = ['shoulder', 'elbow', 'wrist', 'front foot']
HIND = ['hip', 'knee', 'hock', 'hind foot']
KEYPOINTS = MIDDLE + both_sides(['eye', 'ear tip', *FRONT, *HIND])
PATHS = [
    ('nose', 'withers', 'tail base', 'tail tip'),
    ('nose', 'eye', 'ear tip'),
    ('withers', *FRONT),
    ('tail base', *HIND),
]


def find(body: Body, limbs: Limbs, places: dict[str, Place | None]) -> dict[str, Point | None]:
    """A four-legged animal's keypoints by name, those that are found."""
    result: dict[str, Point | None] = {'nose': body.tip(limbs.head, limbs.nose_way, middle=True)}
    base = body.joint(limbs.tail[0])
    if base is not None:
        result['tail base'] = body.outward(base, (0, 0.6, -0.8))
        result['tail tip'] = body.farthest(limbs.tail, base)
    for names in limbs.sides:
        bones = [bone.format(*names) for bone in (*limbs.front, *limbs.hind)]
        joints = [body.joint(bone) for bone in bones]
        side = 1 if joints[3][0] + joints[7][0] > 0 else -1
        word = 'left' if side > 0 else 'right'
        for name, bone, joint in zip(FRONT + HIND, bones, joints, strict=True):
            if 'foot' in name:
                result[f'{word} {name}'] = body.tip([bone], (0, -0.5, 1), side)
            elif joint is not None:
                result[f'{word} {name}'] = body.outward(joint, (side, 0, 0)) or body.follow(bone)
        ears = [bone.format(*names) for bone in limbs.ear]
        base = body.joint(ears[0]) if ears else None
        if base is not None and limbs.ear_way is None:
            result[f'{word} ear tip'] = body.farthest(ears, base)
        elif base is not None:
            result[f'{word} ear tip'] = body.tip(ears, limbs.ear_way * np.array([side, 1, 1]))
    elbow = result.get('left elbow')
    if elbow is not None:
        result['withers'] = body.outward(elbow.at * [0, 1, 1], (0, 1, 0))
    return result | body.at_places(places, MIDDLE)


def _animal(mesh: str, limbs: str, places: dict[str, Place | None] | None = None) -> Animal:
    """An animal of a skeleton (a key of `LIMBS`), with places for what its bones do not tell."""
    body = LIMBS[limbs]
    front, hind = (bones[-1].format(*body.sides[0]) for bones in (body.front, body.hind))
    return Animal(mesh, body.skeleton, front, hind, partial(find, limbs=body, places=places or {}))


CATTLE: dict[str, Place | None] = {
    'shoulder': (2.25, 1.7),
    'elbow': (1.65, 1.2),
    'hip': (2.65, -1.0),
    'knee': (1.8, -0.8),
    'eye': (2.8, 3.02),
}
HORSE: dict[str, Place | None] = {'eye': (4.81, 3.35), 'tail tip': (0.5, -2.9)}
PIG: dict[str, Place] = {
    'eye': (1.02, 1.16),
    'ear tip': (0.36, 1.455, 1.107),
    'shoulder': (0.95, 0.35),
    'hip': (1.05, -1.1),
}

_ANIMALS: dict[str, list[Animal]] = {
    'horse': [
        *(
            _animal(f'horse_{breed}', 'horse', HORSE)
            for breed in ('celtic', 'barb', 'lusitano', 'marwari', 'persian', 'tessalian')
        ),
        _animal('horse_breed', 'horse', {'eye': (3.745, 2.46), 'tail tip': (1.45, -1.85)}),
        _animal('pony', 'horse', {'eye': (3.826, 2.62)}),
        _animal('donkey', 'donkey', {'eye': (2.6, 2.33), 'ear tip': (0.2, 3.55, 2.09)}),
    ],
    'cattle': [
        *(_animal(f'cattle_female_{a}', 'cattle', CATTLE) for a in 'ab'),
        *(_animal(f'bull_{a}', 'cattle', CATTLE) for a in 'ab'),
        _animal('zebu', 'cattle', {**CATTLE, 'eye': (2.84, 3.02)}),
        *(_animal(f'sanga_cattle_{a}', 'cattle', CATTLE) for a in 'ab'),
    ],
    'sheep or goat': [
        *(
            _animal(mesh, 'goat', {'eye': (2.172, 1.83), 'ear tip': (0.42, 2.57, 1.6)})
            for mesh in ('goat', 'goat_male')
        ),
        _animal('sheep', 'sheep', {'ear tip': (0.39, 1.6, 1.2), 'tail tip': None}),
    ],
    'big cat': [
        _animal('animal_lion', 'lion', {'eye': (2.85, 2.27)}),
        _animal('animal_lioness', 'lion', {'eye': (2.96, 2.31), 'ear tip': (0.4, 3.25, 2.1)}),
        _animal('tiger', 'tiger', {'eye': (2.115, 2.755), 'shoulder': (1.75, 1.4)}),
    ],
    'dog': [
        _animal('mastiff_no_spikes', 'mastiff'),
        _animal('mastiff', 'mastiff'),
        _animal('wolfhound', 'wolfhound', {'eye': (2.5, 1.5)}),
        _animal('wolf', 'wolf', {'eye': (1.888, 1.51), 'ear tip': (0.19, 2.285, 1.29)}),
        _animal('fox', 'fox', {'eye': (1.221, 1.034)}),
    ],
    'zebra': [_animal('horse', 'horse'), _animal('zebra', 'zebra', {'shoulder': (1.75, 1.25)})],
    'wildebeest': [
        _animal('wildebeest_adult', 'cattle', {**CATTLE, 'eye': None, 'tail base': (2.75, -1.75)})
    ],
    'deer': [
        _animal('deer_mesh', 'deer', {'eye': (3.135, 1.825), 'ear tip': (0.25, 3.7, 1.63)}),
    ],
    'rabbit': [
        _animal(
            f'rabbit_0{i}',
            'deer',
            {
                'eye': (0.478, 0.605),
                'ear tip': (0.1, 0.93, 0.43),
                'shoulder': (0.42, 0.05),
                'elbow': (0.14, 0.03),
                'wrist': None,
                'knee': None,
            },
        )
        for i in (1, 2)
    ],
    'camel': [
        _animal('camel', 'camel', {'eye': (5.724, 3.869), 'ear tip': (0.31, 6.07, 3.55)}),
    ],
    'giraffe': [
        _animal('giraffe_adult', 'giraffe', {'eye': (11.67, 5.02), 'ear tip': (0.6, 12.3, 4.0)}),
        _animal('giraffe_infant', 'giraffe', {'eye': (7.0, 3.0), 'ear tip': (0.36, 7.38, 2.38)}),
    ],
    'pig': [
        _animal('pig', 'pig', PIG),
        _animal(
            'animal_piglet',
            'pig',
            {name: tuple(0.437 * number for number in at) for name, at in PIG.items()},
        ),
        _animal(
            'animal_boar',
            'pig',
            {
                'shoulder': (1.05, 0.45),
                'hip': (1.1, -1.3),
                'hock': (0.42, -1.38),
                'tail tip': None,
            },
        ),
    ],
    'bear': [
        _animal(
            mesh,
            'bear',
            {
                'eye': (2.43, 2.56),
                'ear tip': (0.42, 2.79, 2.15),
                'tail base': (2.6, -2.02),
                'tail tip': None,
            },
        )
        for mesh in ('bear', 'bear_polar')
    ],
    'hippopotamus': [
        _animal(
            'fauna_hippopotamus',
            'hippopotamus',
            {'eye': (3.153, 3.39), 'ear tip': (0.6, 3.71, 3.04), 'tail tip': (2.08, -2.78)},
        )
    ],
    'rhinoceros': [
        _animal(
            'rhino',
            'rhinoceros',
            {'eye': (1.495, 3.2), 'nose': (1.05, 3.75), 'knee': (1.4, -1.45)},
        )
    ],
    'elephant': [
        _animal('elephant_asian_male', 'elephant', {'eye': (6.22, 5.31)}),
        _animal('elephant_african_bush', 'elephant', {'eye': (7.1, 5.9)}),
        _animal('elephant_african_forest', 'elephant', {'eye': (5.0, 4.23)}),
        _animal('elephant_african_baby', 'elephant', {'eye': (2.09, 1.68)}),
    ],
    'crocodile': [_animal('Croc', 'crocodile')],
}

KINDS = [Kind(name, 'animal body', KEYPOINTS, PATHS, animals) for name, animals in _ANIMALS.items()]
