"""A backbone, a method, a padding and an attention in a few lines each; see CONTRIBUTING.md."""

import numpy as np
from fmmp.datasets.padding import Padding, register_padding
from fmmp.models.detectors.base import EpisodeDetector
from fmmp.models.layers.features import mean_over_shots
from fmmp.models.layers.fgsa import register_attention
from mmpose.models.builder import BACKBONES, POSENETS
from torch import nn


@BACKBONES.register_module()
class ToyBackbone(nn.Module):
    """The image itself, at an eighth of its size."""

    out_channels = (3,)
    size_divisor = 8

    def init_weights(self):
        pass

    def forward(self, imgs):
        return [nn.functional.avg_pool2d(imgs, 8)]


@POSENETS.register_module()
class ToyMethod(EpisodeDetector):
    """Moves the supports' mean points by what it learns from the query's mean colour."""

    def __init__(self, **others):
        super().__init__(**others)
        self.move = nn.Linear(3, 2)

    def encode_supports(self, features, supports):
        return mean_over_shots(supports.points, supports.visible)  # (B, K, 2)

    def decode(self, state, features):
        move = self.move(features[-1].mean((-2, -1)))  # (B, Q, 2)
        return (state[:, None] + move[:, :, None]).unsqueeze(2)  # (B, Q, L = 1, K, 2)

    def losses(self, state, features, episode):
        target = episode.queries
        error = (self.decode(state, features)[:, :, 0] - target.points).abs().sum(-1)
        return {'distance': error[target.visible].mean()}


@register_padding('toy')
class ToyPadding(Padding):
    """One padded keypoint, at a random place of the first link."""

    draws = True

    def draw(self, total, num_links, generator):
        return {'lam': generator.random(1)}

    def place(self, count, total, num_links, lam):
        on_link = np.zeros(num_links, np.int64)
        on_link[0] = min(1, total - count)
        return on_link, lam[: on_link[0]]


@register_attention('toy')
class ToyAttention(nn.Module):
    """The image's mean token, whatever the keypoint."""

    def __init__(self, embed_dims, **_):
        super().__init__()
        self.project = nn.Linear(embed_dims, embed_dims)
        nn.init.constant_(self.project.bias, 0.25)

    def forward(self, query, points, reference_index, tokens, levels):
        return self.project(tokens.mean(1, keepdim=True)).expand_as(query)
