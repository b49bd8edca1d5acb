"""Where a keypoint lies, read off its heatmap."""

from __future__ import annotations

import torch
from torch import Tensor


def decode_heatmaps(heatmaps: Tensor) -> tuple[Tensor, Tensor]:
    """The cell of each heatmap's largest value, moved a quarter towards its larger neighbours.

    The first cell in row order wins a tie, and a heatmap with nothing above 0 gives cell (-1, -1).
    Cells at the border stay: those that are moved have 1 < x < W - 1 and 1 < y < H - 1.

    Args:
        heatmaps: (…, H, W).

    Returns:
        The points (…, 2), (x, y) in [0, 1]: a cell's number over their count, since the map back
        to the image takes cells for corners; and the largest values (…), as scores.
    """
    height, width = heatmaps.shape[-2:]
    flat = heatmaps.flatten(-2)
    scores, index = flat.max(-1)
    x, y = index % width, index.div(width, rounding_mode='floor')
    inside = (x > 1) & (x < width - 1) & (y > 1) & (y < height - 1)

    def value(step: int) -> Tensor:
        return flat.gather(-1, torch.where(inside, index + step, index)[..., None])[..., 0]

    moves = torch.stack([(value(step) - value(-step)).sign() for step in (1, width)], dim=-1)
    cells = torch.stack((x, y), dim=-1) + 0.25 * moves
    cells = torch.where((scores > 0)[..., None], cells, -1.0)
    return cells / cells.new_tensor([width, height]), scores
