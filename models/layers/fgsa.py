"""Fine-grained, structure-aware (FGSA) attention (paper, Section 3.2)."""

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn

from ..ops import fused_ms_deform_attn
from .features import Levels, level_starts, read_at

ATTENTIONS: dict[str, type[nn.Module]] = {}
"""The attentions that a miner can be built with, by name."""


def register_attention(name: str) -> Callable[[type[nn.Module]], type[nn.Module]]:
    """Name an attention, to be chosen by ``keypoint_head.attention``.

    It is built with ``embed_dims``, ``num_branches`` (M), ``num_heads``, ``num_levels`` and
    ``num_points``, called as `FGSA`, and initialises itself.
    """

    def register(attention: type[nn.Module]) -> type[nn.Module]:
        ATTENTIONS[name] = attention
        return attention

    return register


@register_attention('branches')
class FGSA(nn.Module):
    """Deformable attention of each keypoint around its structural references.

    M *branches*, each a complete multi-scale deformable attention. Branch m of keypoint k looks
    around the point of k's m-th structural reference, the same on every level. The result is

        branch_0 + relu(W · concat(branch_1 … branch_{M-1})).

    Parameters of all branches are stored together, one branch after the other.

    Args:
        embed_dims: D.
        num_branches: M; with 1, this is ordinary deformable attention.
        num_heads: H, of each branch.
        num_levels: levels of the image tokens.
        num_points: samples a head takes of each level.
    """

    def __init__(
        self,
        embed_dims: int = 256,
        num_branches: int = 8,
        num_heads: int = 8,
        num_levels: int = 3,
        num_points: int = 4,
    ) -> None:
        super().__init__()
        if embed_dims % num_heads:
            raise ValueError(f'embed_dims={embed_dims} is not a multiple of num_heads={num_heads}')
        self.num_branches = num_branches
        self.num_heads = num_heads
        self.num_levels = num_levels
        self.num_points = num_points
        samples = num_branches * num_heads * num_levels * num_points
        self.sampling_offsets = nn.Linear(embed_dims, samples * 2)
        self.attention_weights = nn.Linear(embed_dims, samples)
        self.value_proj = nn.Linear(embed_dims, num_branches * embed_dims)
        self.output_weight = nn.Parameter(torch.empty(num_branches, embed_dims, embed_dims))
        self.output_bias = nn.Parameter(torch.empty(num_branches, embed_dims))
        if num_branches > 1:
            self.projector = nn.Linear((num_branches - 1) * embed_dims, embed_dims)
        self.init_weights()

    def init_weights(self) -> None:
        """Uniform attention on a ring around the reference, as Deformable DETR; Xavier else."""
        nn.init.zeros_(self.sampling_offsets.weight)
        angle = torch.arange(self.num_heads) * (2 * math.pi / self.num_heads)
        ring = torch.stack((angle.cos(), angle.sin()), dim=-1)  # (H, 2)
        ring = ring / ring.abs().amax(-1, keepdim=True)
        radius = torch.arange(1, self.num_points + 1)
        offsets = ring[:, None, None] * radius[:, None]  # (H, 1, P, 2)
        offsets = offsets.expand(self.num_branches, -1, self.num_levels, -1, -1)
        with torch.no_grad():
            self.sampling_offsets.bias.copy_(offsets.flatten())
        nn.init.zeros_(self.attention_weights.weight)
        nn.init.zeros_(self.attention_weights.bias)
        for weight in self.value_proj.weight.chunk(self.num_branches):
            nn.init.xavier_uniform_(weight)
        nn.init.zeros_(self.value_proj.bias)
        for weight in self.output_weight:
            nn.init.xavier_uniform_(weight)
        nn.init.zeros_(self.output_bias)
        if self.num_branches > 1:
            nn.init.xavier_uniform_(self.projector.weight)
            nn.init.zeros_(self.projector.bias)

    @torch.no_grad()
    def start_near(self) -> None:
        """Let the rings of all levels be as wide as the finest's, each level halving the cells.

        Rings of 1 to P cells of their own level reach across the whole image where the coarsest
        has P x P cells.
        """
        shape = (-1, self.num_levels, self.num_points, 2)
        scale = 2.0 ** torch.arange(1 - self.num_levels, 1)
        offsets = self.sampling_offsets.bias.view(shape) * scale[:, None, None]
        self.sampling_offsets.bias.copy_(offsets.flatten())

    def reference_points(self, points: Tensor, reference_index: Tensor) -> Tensor:
        """The points of each keypoint's structural references, a branch each.

        Args:
            points: (B, K, 2).
            reference_index: (B, K, M) long, or more than M, of which the first M are used.

        Returns:
            (B, K, M, 1, 2), the same for each head of a branch.
        """
        return gather_points(points, reference_index, self.num_branches).unsqueeze(3)

    def forward(
        self,
        query: Tensor,
        points: Tensor,
        reference_index: Tensor,
        tokens: Tensor,
        levels: Levels,
        similarity: Tensor | None = None,
    ) -> Tensor:
        """Attend to the image around each keypoint's structural references.

        Args:
            query: (B, K, D), keypoint embeddings with their encodings.
            points: (B, K, 2), where the keypoints are, in [0, 1].
            reference_index: (B, K, ≥M) long, the structural references.
            tokens: (B, N, D), the image.
            levels: each level's (height, width); their products sum to N.
            similarity: (B, K, N), of each keypoint and token; read at the samples, it joins the
                logits of their weights, so that what looks like the keypoint counts more.

        Returns:
            (B, K, D)
        """
        references = self.reference_points(points, reference_index)
        branches = self.deformable_attention(query, references, tokens, levels, similarity)
        result = branches[:, :, 0]
        if self.num_branches > 1:
            result = result + self.projector(branches[:, :, 1:].flatten(2)).relu()
        return result

    def deformable_attention(
        self,
        query: Tensor,
        references: Tensor,
        tokens: Tensor,
        levels: Levels,
        similarity: Tensor | None = None,
    ) -> Tensor:
        """All branches of multi-scale deformable attention at once.

        Args:
            query: (B, K, D).
            references: (B, K, M, H or 1, 2), the reference point of each branch and head.
            tokens: (B, N, D).
            levels: each level's (height, width).
            similarity: (B, K, N), as of `forward`.

        Returns:
            (B, K, M, D)
        """
        batch, keypoints, dims = query.shape
        locations, weights = self.samples(query, references, levels, similarity)
        sampled = fused_ms_deform_attn(
            tokens,
            levels,
            level_starts(levels),
            locations.flatten(2, 3),
            weights.flatten(2, 3),
            self.value_proj.weight,
            self.value_proj.bias,
        ).view(batch, keypoints, self.num_branches, dims)
        return torch.einsum('bkmd,med->bkme', sampled, self.output_weight) + self.output_bias

    def look(
        self,
        query: Tensor,
        points: Tensor,
        reference_index: Tensor,
        _: Tensor,
        levels: Levels,
        similarity: Tensor | None = None,
    ) -> Tensor:
        """The places of all samples and what each counts, of `forward`'s arguments.

        Returns:
            (B, K, N, 3), the weights over all branches having the sum 1.
        """
        references = self.reference_points(points, reference_index)
        places, weights = self.samples(query, references, levels, similarity)
        weights = weights / (weights.shape[2] * weights.shape[3])
        return torch.cat([places.flatten(2, 5), weights.flatten(2)[..., None]], dim=-1)

    def samples(
        self,
        query: Tensor,
        references: Tensor,
        levels: Levels,
        similarity: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Where the image is sampled, and how much each sample counts.

        Args:
            query: (B, K, D).
            references: (B, K, M, H or 1, 2), the reference point of each branch and head.
            levels: each level's (height, width).
            similarity: (B, K, N), as of `forward`.

        Returns:
            Places (B, K, M, H, L, P, 2) in sides of the image, and weights (B, K, M, H, L, P) whose
            sum over a head's samples is 1.
        """
        batch, keypoints, _ = query.shape
        M, H, L, P = self.num_branches, self.num_heads, self.num_levels, self.num_points
        # Of a head's samples one after the other, (L·P·2,), which is faster than to broadcast.
        size = [side for height, width in levels for side in (width, height) * P]
        offsets = self.sampling_offsets(query).view(batch, keypoints, M, H, L * P * 2)
        locations = references.repeat(1, 1, 1, 1, L * P) + offsets / query.new_tensor(size)
        locations = locations.view(batch, keypoints, M, -1, L, P, 2)
        logits = self.attention_weights(query).view(batch, keypoints, M * H, L * P)
        if similarity is not None:
            logits = logits + read_levels(locations, similarity, levels).view_as(logits)
        return locations, logits.softmax(-1).view(batch, keypoints, M, H, L, P)


@register_attention('heads')
class FGSAHeads(FGSA):
    """FGSA as the paper's figure draws it: one deformable attention of M heads.

    Head m of keypoint k looks around the point of k's m-th structural reference.

    Args:
        embed_dims: D.
        num_branches: M, here the number of heads.
        num_heads: without a meaning here.
        num_levels: levels of the image tokens.
        num_points: samples a head takes of each level.
    """

    def __init__(
        self,
        embed_dims: int = 256,
        num_branches: int = 8,
        num_heads: int = 8,
        num_levels: int = 3,
        num_points: int = 4,
    ) -> None:
        super().__init__(embed_dims, 1, num_branches, num_levels, num_points)

    def reference_points(self, points: Tensor, reference_index: Tensor) -> Tensor:
        """The points of each keypoint's structural references, a head each: (B, K, 1, M, 2)."""
        return gather_points(points, reference_index, self.num_heads).unsqueeze(2)


def gather_points(points: Tensor, index: Tensor, count: int) -> Tensor:
    """The points of the first ``count`` references: (B, K, 2) and (B, K, ≥M) give (B, K, M, 2)."""
    batch = torch.arange(points.shape[0], device=points.device)[:, None, None]
    return points[batch, index[..., :count]]


def read_levels(places: Tensor, values: Tensor, levels: Levels) -> Tensor:
    """Each keypoint's own values of an image's tokens at places of its own, level by level.

    Args:
        places: (B, K, M, H, L, P, 2) in sides of the image.
        values: (B, K, N).
        levels: each level's (height, width); their products sum to N.

    Returns:
        (B, K, M, H, L, P)
    """
    maps = values.split([height * width for height, width in levels], dim=-1)
    read = [
        read_at(at.flatten(2, 4), of_level.unflatten(-1, size)).view(at.shape[:-1])
        for at, of_level, size in zip(places.float().unbind(4), maps, levels, strict=True)
    ]
    return torch.stack(read, dim=4)
