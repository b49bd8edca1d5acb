"""What the golden numbers of other methods than FMMP were recorded with, and without."""

import json
import re
import zlib
from functools import cache

import numpy as np
import torch
from torch import nn

from tests.weights import DATA, tensor_of

BASELINES = DATA / 'baselines'
GAINS = {'out_proj': 0.3, 'relation_model': 2, 'deconv_layers': 3}  # by a part of the name
POSE_ANYTHING_GAINS = {  # by the name's beginning, below keypoint_head
    r'input_proj|query_proj|kpt_branch\.\d\.mlp\.6': 4,
    r'transformer\.proposal_generator\.dynamic_proj': 4,
    r'transformer\.proposal_generator\.support_proj': 2,
    r'transformer\.proposal_generator\.query_proj': 0.5,
    r'transformer\.encoder\.layers\.\d\.linear': 0.3,
}


def released_baseline(method: str) -> dict[str, torch.Tensor]:
    """A state dict with a method's released names, every tensor filled from its name.

    A backbone that is stored twice is filled by the first copy's names.
    """
    return dict(_released_baseline(method))


@cache
def _released_baseline(method):
    listing = json.loads((BASELINES / f'{method}_state_dict.json').read_text())
    names = {name: name for name, _ in listing}
    if method == 'capeformer':
        names = {name: name.replace('encoder_query.', 'encoder_sample.') for name in names}
    if method == 'poseanything':
        return pose_anything_weights(listing)
    return {name: tensor_of(names[name], shape, _gain(names[name])) for name, shape in listing}


def pose_anything_weights(listing) -> dict[str, torch.Tensor]:
    """PoseAnything's state dict of these names and shapes, but for what Swin V2 computes."""
    state = {}
    for name, shape in listing:
        if re.search('relative_coords_table|relative_position_index|attn_mask', name):
            continue
        if name.endswith('logit_scale'):
            rng = np.random.RandomState(zlib.crc32(name.encode()) & 0xFFFFFFFF)
            state[name] = torch.from_numpy(rng.randn(*shape) * 1.5 + 2.3).float()
        else:
            part = name.removeprefix('keypoint_head.')
            gains = (g for start, g in POSE_ANYTHING_GAINS.items() if re.match(start, part))
            state[name] = tensor_of(name, shape, next(gains, 1))
    return state


def _gain(name):
    return next((gain for part, gain in GAINS.items() if part in name), 1)


def load_baseline(name: str) -> tuple[dict[str, torch.Tensor], dict[str, np.ndarray]]:
    """The inputs of a recorded episode, as the models take them, and the recorded numbers."""
    golden = dict(np.load(BASELINES / f'{name}.npz'))
    batch, images = golden['points'].shape[:2]
    rng = np.random.RandomState(int(golden['image_seed']))
    blocks = rng.randn(batch, images, 3, 8, 8).repeat(32, -2).repeat(32, -1)
    imgs = 2 * blocks + 0.5 * rng.randn(batch, images, 3, 256, 256)
    episode = dict(
        imgs=torch.from_numpy(imgs.astype(np.float32)),
        points=torch.from_numpy(golden['points']),
        visible=torch.from_numpy(golden['visible']),
    )
    if 'skeleton' in golden:
        episode['skeleton'] = torch.from_numpy(golden['skeleton']).long()
    return episode, golden


def without_dropout(model: nn.Module) -> nn.Module:
    """The model with every rate at zero."""
    for module in model.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
        elif isinstance(module, nn.MultiheadAttention):
            module.dropout = 0.0
    return model
