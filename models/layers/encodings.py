"""Sine encodings of a keypoint's number, of an image's cells and of a point in the image."""

import math

import torch
from torch import Tensor, nn

from .initialization import xavier

TEMPERATURE = 10000


def sine_encoding(coordinate: Tensor, dims: int) -> Tensor:
    """Sine and cosine of a coordinate at ``dims / 2`` wavelengths, interleaved.

    Args:
        coordinate: any shape, in radians at the shortest wavelength.
        dims: the length of the encoding; even.

    Returns:
        coordinate's shape + (dims,)
    """
    exponent = torch.arange(0, dims, 2, dtype=coordinate.dtype, device=coordinate.device) / dims
    angle = coordinate[..., None] / TEMPERATURE**exponent
    return torch.stack((angle.sin(), angle.cos()), dim=-1).flatten(-2)


def grid_encoding(height: int, width: int, dims: int, like: Tensor) -> Tensor:
    """``grid``: the encoding of each cell of an image, row by row.

    Args:
        height, width: cells along the sides.
        dims: D; the first half encodes the row, the second the column.
        like: a tensor that gives dtype and device.

    Returns:
        (height · width, D)
    """
    eps = 1e-6
    rows, columns = (
        2 * math.pi * (torch.arange(1, n + 1, dtype=like.dtype, device=like.device) / (n + eps))
        for n in (height, width)
    )
    rows = sine_encoding(rows, dims // 2)[:, None].expand(-1, width, -1)
    columns = sine_encoding(columns, dims // 2)[None].expand(height, -1, -1)
    return torch.cat((rows, columns), dim=-1).flatten(0, 1)


def order_encoding(num_keypoints: int, dims: int, like: Tensor) -> Tensor:
    """``order``: the encoding of each keypoint's number, as of the columns of a 1 × K image.

    Args:
        num_keypoints: K.
        dims: D; the first half encodes the row, which is always the first, the second the column.
        like: a tensor that gives dtype and device.

    Returns:
        (K, D)
    """
    return grid_encoding(1, num_keypoints, dims, like)


class PointEncoding(nn.Module):
    """``pos(p)``: the sine encoding of a point, then an MLP (D → D, GELU, → D).

    Args:
        dims: D.
    """

    def __init__(self, dims: int) -> None:
        super().__init__()
        self.dims = dims
        self.mlp = xavier(nn.Sequential(nn.Linear(dims, dims), nn.GELU(), nn.Linear(dims, dims)))

    def forward(self, points: Tensor) -> Tensor:
        """Encode ``points`` (..., 2), (x, y) with the image spanning [0, 1], as (..., D)."""
        x, y = (2 * math.pi * points).unbind(-1)
        halves = [sine_encoding(axis, self.dims // 2) for axis in (y, x)]
        return self.mlp(torch.cat(halves, dim=-1))
