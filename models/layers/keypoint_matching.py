"""The matching head of POMNet: each keypoint's heatmap from its token and the image's tokens."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import pairwise
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

NORMS = ('each', 'real')
MAPS_AT_ONCE = 32  # when testing, for memory: of 256 channels at 64 x 64 cells, 4 MB each


class KeypointMatching(nn.Module):
    """Matches every keypoint with the image by convolutions, and upsamples that to its heatmap.

    With M the image's map and Z a keypoint's token, the same at every cell:

        relu(BN(Conv3×3([M; Z]))), U times relu(BN(ConvTranspose4×4)), Conv1×1

    Args:
        embed_dims: D.
        channels: of the upsampled maps.
        num_upsamplings: U, each of which doubles the sides.
        batch_norm: what batch norm's means and variances are taken over in training: ``each``, one
            keypoint of the batch at a time, padded ones too, as in the official code; or ``real``,
            all keypoints of the batch together but padded ones.
    """

    def __init__(
        self,
        embed_dims: int = 256,
        channels: int = 256,
        num_upsamplings: int = 3,
        batch_norm: Literal[NORMS] = 'each',
    ) -> None:
        super().__init__()
        self.batch_norm = batch_norm
        self.pair = PairConvolution(embed_dims)
        self.pair_norm = nn.BatchNorm2d(embed_dims)
        widths = [embed_dims] + num_upsamplings * [channels]
        self.upsample = nn.ModuleList(
            nn.ConvTranspose2d(*sizes, kernel_size=4, stride=2, padding=1, bias=False)
            for sizes in pairwise(widths)
        )
        self.upsample_norms = nn.ModuleList(nn.BatchNorm2d(channels) for _ in self.upsample)
        self.heatmap = nn.Conv2d(widths[-1], 1, kernel_size=1)
        for layer in (self.pair, *self.upsample, self.heatmap):
            nn.init.normal_(layer.weight, std=0.001)
        nn.init.zeros_(self.heatmap.bias)

    def forward(
        self, image: Tensor, tokens: Tensor, real: Tensor, last_stands_for: int = 1
    ) -> Tensor:
        """Draw the keypoints' heatmaps.

        Args:
            image: (B, D, h, w), M.
            tokens: (B, K, D), each Z.
            real: (B, K) bool, which keypoints are no padding.
            last_stands_for: how many equal keypoints the last one is, to the running statistics.

        Returns:
            (B, K, 2ᵁh, 2ᵁw); with ``batch_norm='real'``, in training, zero for padded keypoints.
        """
        matched = self.pair(image, tokens)
        if not self.training:
            matched = matched.flatten(0, 1)
            # A number of parts that depends on that of the queries cannot be exported.
            exporting = torch.compiler.is_exporting()
            parts = [matched] if exporting else matched.split(MAPS_AT_ONCE)
            return torch.cat([self._upsampled(part) for part in parts]).unflatten(0, real.shape)
        if self.batch_norm == 'each':
            norm = partial(norm_each, num_keypoints=real.shape[1], last_stands_for=last_stands_for)
            return self._upsampled(matched.flatten(0, 1), norm).unflatten(0, real.shape)
        maps = self._upsampled(matched[real])
        return maps.new_zeros(*real.shape, *maps.shape[1:]).index_put((real,), maps)

    def _upsampled(self, x: Tensor, norm: Callable | None = None) -> Tensor:
        """Heatmaps (N, 2ᵁh, 2ᵁw) of N matched maps (N, D, h, w)."""
        norm = norm or (lambda module, x: module(x))
        x = norm(self.pair_norm, x).relu_()
        for upsample, upsample_norm in zip(self.upsample, self.upsample_norms, strict=True):
            x = norm(upsample_norm, upsample(x)).relu_()
        return self.heatmap(x)[:, 0]


class PairConvolution(nn.Module):
    """Conv3×3, padded by zeros, of an image's map and a token repeated over its cells.

    The image's half is computed once for all keypoints. The token's half is at every cell the sum
    of those taps that lie inside the image, times the token.

    Args:
        embed_dims: D, channels of the map, of the tokens and of the result.
    """

    def __init__(self, embed_dims: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(embed_dims, 2 * embed_dims, 3, 3))

    def forward(self, image: Tensor, tokens: Tensor) -> Tensor:
        """Convolve images (B, D, h, w) with each of their tokens (B, K, D): (B, K, D, h, w)."""
        of_image, of_token = self.weight.chunk(2, dim=1)
        taps = tokens @ of_token.permute(1, 0, 2, 3).flatten(1)  # (B, K, 9D)
        rows, columns = (_taps_inside(size, like=taps) for size in image.shape[-2:])
        inside = torch.kron(rows, columns)  # (hw, 9)
        token_half = taps.unflatten(-1, (-1, 9)) @ inside.T
        image_half = F.conv2d(image, of_image, padding=1)
        return image_half[:, None] + token_half.unflatten(-1, image.shape[-2:])


def _taps_inside(size: int, like: Tensor) -> Tensor:
    """Which of the three taps around each cell of a side lie on it: (size, 3), 1 or 0."""
    inside = torch.ones(size, 3, dtype=like.dtype, device=like.device)
    inside[0, 0] = inside[-1, -1] = 0
    return inside


def norm_each(norm: nn.BatchNorm2d, x: Tensor, num_keypoints: int, last_stands_for: int) -> Tensor:
    """Batch norm, in training, as if the keypoints passed it one after the other.

    The running statistics r move by every keypoint's m_k in turn, r ← 0.9 r + 0.1 m_k, so n
    equal ones make r ← 0.9ⁿ r + (1 - 0.9ⁿ) m.

    Args:
        norm: its parameters, running statistics and momentum.
        x: (B · K, C, h, w).
        num_keypoints: K.
        last_stands_for: how many equal keypoints the last one is.

    Returns:
        as ``x``, each keypoint normalised over (B, h, w).
    """
    keypoints, channels = num_keypoints, norm.num_features
    statistics = x.new_zeros(2, keypoints * channels, dtype=norm.running_mean.dtype)
    normed = F.batch_norm(
        x.unflatten(0, (-1, keypoints)).flatten(1, 2),
        *statistics,  # each keypoint's own replace them, since the momentum is 1
        norm.weight.repeat(keypoints),
        norm.bias.repeat(keypoints),
        training=True,
        momentum=1.0,
        eps=norm.eps,
    )
    keep = 1 - norm.momentum
    total = keypoints - 1 + last_stands_for
    share = norm.momentum * keep ** (total - 1 - torch.arange(keypoints, dtype=torch.float64))
    share[-1] = 1 - keep**last_stands_for
    moves = torch.einsum(
        'k,skc->sc', share.to(statistics), statistics.unflatten(1, (keypoints, -1))
    )
    with torch.no_grad():
        for running, move in zip((norm.running_mean, norm.running_var), moves, strict=True):
            running.mul_(keep**total).add_(move)
        norm.num_batches_tracked += total
    return normed.unflatten(1, (keypoints, channels)).flatten(0, 1)
