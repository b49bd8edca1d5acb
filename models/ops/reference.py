"""The ops in plain PyTorch: what they compute, and what is used where nothing is compiled."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

Levels = Tensor | Sequence


def ms_deform_attn(
    value: Tensor,
    spatial_shapes: Levels,
    level_start_index: Levels,
    sampling_locations: Tensor,
    attention_weights: Tensor,
) -> Tensor:
    """See `fmmp.models.ops.ms_deform_attn`."""
    if value.dim() != 4 or value.shape[2:3] != sampling_locations.shape[2:3]:
        raise ValueError(
            'value must be (B, N, H, C) and sampling_locations (B, Q, H, L, P, 2) with the same '
            f'number of heads H, got {(*value.shape,)} and {(*sampling_locations.shape,)}'
        )
    sizes, starts = read_levels(spatial_shapes, level_start_index)
    check_inputs(value, sizes, starts, sampling_locations, attention_weights)
    batch, _, heads, channels = value.shape
    queries = sampling_locations.shape[1]
    dtype = compute_dtype(value)
    # Autocast knows no meta device, on which shapes alone are computed.
    device_type = 'cpu' if value.is_meta else value.device.type
    with torch.autocast(device_type, enabled=False):
        # grid_sample counts from -1 to 1 and has no word on what is not a number; the heads join
        # the batch.
        locations = sampling_locations.to(dtype)
        near = (locations > -1) & (locations < 2)
        grids = (2 * torch.where(near, locations, -1) - 1).transpose(1, 2).flatten(0, 1)
        samples = []
        for level, ((height, width), start) in enumerate(zip(sizes, starts, strict=True)):
            maps = value[:, start : start + height * width].to(dtype).permute(0, 2, 3, 1)
            samples.append(
                F.grid_sample(
                    maps.reshape(batch * heads, channels, height, width),
                    grids[:, :, level],
                    mode='bilinear',
                    padding_mode='zeros',
                    align_corners=False,
                )
            )
        samples = torch.cat(samples, dim=-1)  # (B*H, C, Q, L*P)
        weights = attention_weights.to(dtype).transpose(1, 2)
        weights = weights.reshape(batch * heads, 1, queries, samples.shape[-1])
        attended = (samples * weights).sum(-1)  # (B*H, C, Q)
        attended = attended.reshape(batch, heads * channels, queries).transpose(1, 2)
    return attended.to(value.dtype)


def ms_deform_sample(
    tokens: Tensor,
    spatial_shapes: Levels,
    level_start_index: Levels,
    sampling_locations: Tensor,
    attention_weights: Tensor,
) -> tuple[Tensor, Tensor]:
    """See `fmmp.models.ops.ms_deform_sample`."""
    if tokens.dim() != 3 or sampling_locations.dim() != 6 or attention_weights.dim() != 5:
        raise ValueError(
            'expected tokens (B, N, D), sampling_locations (B, Q, H, L, P, 2) and '
            f'attention_weights (B, Q, H, L, P), got {(*tokens.shape,)}, '
            f'{(*sampling_locations.shape,)} and {(*attention_weights.shape,)}'
        )
    # A head is a query of its own here; a channel of ones tells how much lies inside.
    sampled = ms_deform_attn(
        torch.cat((tokens, torch.ones_like(tokens[..., :1])), dim=-1)[:, :, None],
        spatial_shapes,
        level_start_index,
        sampling_locations.flatten(1, 2).unsqueeze(2),
        attention_weights.flatten(1, 2).unsqueeze(2),
    )
    sampled = sampled.view(*attention_weights.shape[:3], tokens.shape[-1] + 1)
    return sampled[..., :-1], sampled[..., -1]


def fused_ms_deform_attn(
    tokens: Tensor,
    spatial_shapes: Levels,
    level_start_index: Levels,
    sampling_locations: Tensor,
    attention_weights: Tensor,
    value_weight: Tensor,
    value_bias: Tensor,
) -> Tensor:
    """See `fmmp.models.ops.fused_ms_deform_attn`."""
    fits = (
        tokens.dim() == 3
        and sampling_locations.dim() == 6
        and value_weight.dim() == 2
        and value_weight.shape[1] == tokens.shape[2]
        and value_weight.shape[:1] == value_bias.shape
        and value_weight.shape[0] % max(sampling_locations.shape[2], 1) == 0
    )
    if not fits:
        raise ValueError(
            'expected tokens (B, N, D), sampling_locations (B, Q, H, L, P, 2), value_weight '
            f'(H * C, D) and value_bias (H * C), got {(*tokens.shape,)}, '
            f'{(*sampling_locations.shape,)}, {(*value_weight.shape,)} and {(*value_bias.shape,)}'
        )
    check_like(tokens, value_weight=value_weight, value_bias=value_bias)
    projection = (one.to(compute_dtype(tokens)) for one in (tokens, value_weight, value_bias))
    value = F.linear(*projection).to(tokens.dtype)
    return ms_deform_attn(
        value.unflatten(-1, (sampling_locations.shape[2], -1)),
        spatial_shapes,
        level_start_index,
        sampling_locations,
        attention_weights,
    )


def read_levels(
    spatial_shapes: Levels, level_start_index: Levels
) -> tuple[list[tuple[int, int]], list[int]]:
    """Each level's (height, width) and each level's start, as numbers."""
    sizes, starts = (
        levels.tolist() if isinstance(levels, Tensor) else list(levels)
        for levels in (spatial_shapes, level_start_index)
    )
    if len(sizes) != len(starts) or any(len(size) != 2 for size in sizes):
        raise ValueError(
            'expected spatial_shapes (L, 2) and level_start_index (L,), '
            f'got {spatial_shapes} and {level_start_index}'
        )
    return sizes, starts


def check_inputs(
    value: Tensor,
    sizes: list[tuple[int, int]],
    starts: list[int],
    locations: Tensor,
    weights: Tensor,
) -> None:
    """Raise a ValueError that says what was expected of `ms_deform_attn`'s arguments."""
    tokens = value.shape[1]
    expected = (value.shape[0], *locations.shape[1:2], value.shape[2], len(sizes))
    if locations.dim() != 6 or locations.shape[:4] != expected or locations.shape[5] != 2:
        raise ValueError(
            'sampling_locations must be (B, Q, H, L, P, 2) with B, H and L of the values and '
            f'levels, {(value.shape[0], "Q", *expected[2:], "P", 2)}, got {(*locations.shape,)}'
        )
    if weights.shape != locations.shape[:5]:
        raise ValueError(
            'attention_weights must have one weight a sampling location, '
            f'{(*locations.shape[:5],)}, got {(*weights.shape,)}'
        )
    for (height, width), start in zip(sizes, starts, strict=True):
        if height <= 0 or width <= 0 or not 0 <= start <= tokens - height * width:
            raise ValueError(
                f'a level of height {height} and width {width}, starting at token {start}, does '
                f'not lie within the {tokens} tokens'
            )
    total = sum(height * width for height, width in sizes)
    if total != tokens:
        raise ValueError(
            f"the levels' heights times widths sum to {total}, expected {tokens}, the number of "
            'tokens'
        )
    check_like(value, sampling_locations=locations, attention_weights=weights)
    if not value.dtype.is_floating_point:
        raise ValueError(
            f'the values must be float32, float64, float16 or bfloat16, got {value.dtype}'
        )


def check_like(value: Tensor, **tensors: Tensor) -> None:
    """Raise a ValueError unless dtypes (but under autocast) and devices are those of `value`."""
    for name, tensor in tensors.items():
        same_dtype = tensor.dtype == value.dtype or autocast_enabled(value.device.type)
        if tensor.device != value.device or not same_dtype:
            raise ValueError(
                f'{name} must have the dtype and the device of the values, {value.dtype} on '
                f'{value.device}, got {tensor.dtype} on {tensor.device}'
            )


def compute_dtype(value: Tensor) -> torch.dtype:
    """float64 for float64, else float32."""
    return torch.promote_types(value.dtype, torch.float32)


def autocast_enabled(device_type: str) -> bool:
    """Whether autocast is on for a type of device."""
    try:
        return torch.is_autocast_enabled(device_type)
    except TypeError:  # torch < 2.4 has one function for each
        return (
            torch.is_autocast_cpu_enabled() if device_type == 'cpu' else torch.is_autocast_enabled()
        )
