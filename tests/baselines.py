"""Golden numbers of other methods: weights by formula, and episodes."""

import json

import numpy as np
import torch
from torch import nn

from tests.weights import DATA, tensor_by_name

FOLDER = DATA / 'baselines'


def baseline_state(method, gains=()):
    """A state dict with the official names, every tensor filled from its name.

    ``gains``: parts of names, and what the matrices of such tensors are multiplied by.
    """
    listing = json.loads((FOLDER / f'{method}_state_dict.json').read_text())
    return {name: tensor_by_name(name, shape, _gain(name, gains)) for name, shape in listing}


def _gain(name, gains):
    return next((gain for part, gain in dict(gains).items() if part in name), 1)


def baseline_episode(method, shots):
    """The recorded inputs, as `Episode` has them, and all that is recorded."""
    golden = np.load(FOLDER / f'{method}_{shots}shot.npz')
    points = torch.from_numpy(golden['points']).float()
    rng = np.random.RandomState(int(golden['image_seed']))
    shape = points.shape[:2]
    blocks = rng.randn(*shape, 3, 8, 8).repeat(32, -2).repeat(32, -1)
    images = 2 * blocks + 0.5 * rng.randn(*shape, 3, 256, 256)
    episode = dict(
        imgs=torch.from_numpy(images.astype(np.float32)),
        points=points,
        visible=torch.from_numpy(golden['visible']).bool(),
        num_keypoints=torch.from_numpy(golden['num_keypoints']).long(),
    )
    return episode, golden


def without_dropout(model):
    """Set all rates of dropout to 0; returns the model."""
    for module in model.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0
        elif isinstance(module, nn.MultiheadAttention):
            module.dropout = 0.0
    return model
