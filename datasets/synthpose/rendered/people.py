"""0 A.D.'s people: one skeleton, bodies in the dress of a people, heads and arms as props."""

from __future__ import annotations

from .anatomy import Body, Point, both_sides

SKELETON = 'biped'
MIDDLE = ['head top', 'nose', 'neck']
JOINTS = {
    'shoulder': 'arm_{}',
    'elbow': 'forearm_{}',
    'wrist': 'hand_{}',
    'hip': 'thigh_{}',
    'knee': 'leg_{}',
    'ankle': 'foot_{}',
}
KEYPOINTS = MIDDLE + both_sides(['eye', *JOINTS, 'toe'])
PATHS = [
    ('head top', 'nose', 'neck'),
    ('nose', 'eye'),
    ('neck', 'shoulder', 'elbow', 'wrist'),
    ('shoulder', 'hip', 'knee', 'ankle', 'toe'),
]
# All heads have one shape; it is a prop, so that its points are told by the body's head bone.
HEAD_TOP, NOSE, EYE = (0.0, 4.27, 0.0), (0.0, 3.83, 0.3), (0.085, 3.955, 0.21)


def find(body: Body) -> dict[str, Point | None]:
    """A body's keypoints by name."""
    result = {
        'head top': body.carried('head', HEAD_TOP),
        'nose': body.carried('head', NOSE),
        'neck': body.follow('neck'),
    }
    for side, letter, x in (('left', 'L', 1), ('right', 'R', -1)):
        result[f'{side} eye'] = body.carried('head', (x * EYE[0], *EYE[1:]))
        for name, bone in JOINTS.items():
            result[f'{side} {name}'] = body.follow(bone.format(letter))
        result[f'{side} toe'] = body.tip([f'foot_{letter}'], (0, -0.3, 1), side=x)
    return result
