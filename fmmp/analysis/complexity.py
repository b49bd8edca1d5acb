"""Parameters, and floating-point operations by part, counted on shapes alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass

import torch
from mmcv import Config
from torch import nn

from fmmp.apis import init_model
from fmmp.apis.data import data_settings, subset_config, test_queries
from fmmp.errors import InputError
from fmmp.models.ops import library

from .parts import divided_by_part, modules_of, random_episodes
from .tables import format_table

REST = 'rest of the head'
TOTAL = 'total'
Shape = Sequence[int]


@dataclass(frozen=True)
class Complexity:
    """Operations of a model at one input size, a multiply-add counting as two.

    Attributes:
        size: side of the images, in pixels.
        num_keypoints: K.
        num_shots: S.
        num_queries: Q of the episode.
        parameters: by part.
        pair: operations by part of finding one query's keypoints.
        episode: the same of Q queries that share their supports.
        training: operations of one training episode, ``forward`` and ``backward``.
        compiled: whether they are those of the compiled ops; else those of plain PyTorch.
    """

    size: int
    num_keypoints: int
    num_shots: int
    num_queries: int
    parameters: dict[str, int]
    pair: dict[str, int]
    episode: dict[str, int]
    training: dict[str, int]
    compiled: bool


def complexity(
    config: Config, size: int | None = None, num_queries: int | None = None
) -> Complexity:
    """Count a config's parameters and operations, without computing anything.

    Counted are convolutions, matrix products and bilinear sampling, all that weighs; not what works
    element by element, such as normalisation.

    Args:
        config: the config.
        size: side of the images in pixels, as the backbone takes them; the config's unless given.
        num_queries: Q, queries of a test episode; the config's unless given.

    Raises:
        InputError: the size cannot be used, or torch is too old to count.
    """
    settings = data_settings(config)
    size = size or settings.image_size
    queries = num_queries or test_queries(config)
    model = init_model(config).to('meta')
    if size % model.image_multiple:
        raise InputError(f'size {size}: give a multiple of {model.image_multiple}')

    def test(queries: int) -> dict[str, int]:
        noise = random_episodes(config, 'test', 1, queries, size, 'meta')
        return _count(model, lambda: model.predict(noise))[0]

    pair, episode = test(1), test(queries)
    model.train()
    training = {'forward': 0, 'backward': 0}
    if model.trainable:
        noise = random_episodes(config, 'train', 1, 1, size, 'meta')
        forward, backward = _count(
            model,
            lambda: sum(loss.sum() for loss in model.losses_by_kind(noise).values()),
            backward=True,
        )
        training = {'forward': forward[TOTAL], 'backward': backward}
    return Complexity(
        size,
        settings.num_keypoints,
        subset_config(config, 'test')['num_shots'],
        queries,
        _parameters(model),
        pair,
        episode,
        training,
        'meta' in library.DEVICES,
    )


def format_complexity(found: Sequence[Complexity]) -> str:
    """The counts of one config at several sizes, a table each."""
    tables = []
    for one in found:
        training = sum(one.training.values())
        rows = [
            [part, f'{one.parameters[part] / 1e6:.2f}']
            + [f'{counts[part] / 1e9:.2f}' for counts in (one.pair, one.episode)]
            for part in one.parameters
        ]
        ops = 'the compiled ops' if one.compiled else 'plain PyTorch, since no ops are compiled'
        header = ['', 'parameters, M', 'a pair, GFLOPs', f'{one.num_queries} queries, GFLOPs']
        tables.append(
            f'{one.size} x {one.size} pixels, {one.num_keypoints} keypoints, '
            f'{one.num_shots} shot{"s" * (one.num_shots > 1)}, by {ops}\n\n'
            + format_table(header, rows, 'markdown')
            + f'\n\na training episode: {training / 1e9:.2f} GFLOPs, '
            f'{one.training["forward"] / 1e9:.2f} of them forward'
        )
    note = 'GFLOPs: 10⁹ floating-point operations, a multiply-add counting as two.'
    return '\n\n'.join([*tables, note])


def to_json(found: Sequence[Complexity]) -> list[dict]:
    """The counts as plain values; operations, not GFLOPs."""
    return [asdict(one) for one in found]


def _parameters(model: nn.Module) -> dict[str, int]:
    total = sum(parameter.numel() for parameter in model.parameters())
    parts = {
        part: sum(
            parameter.numel()
            for module in modules_of(model, part)
            for parameter in module.parameters()
        )
        for part in model.parts
    }
    return {**parts, REST: total - sum(parts.values()), TOTAL: total}


def _count(
    model: nn.Module, run: Callable[[], torch.Tensor], backward: bool = False
) -> tuple[dict[str, int], int]:
    """Operations of a forward pass by part, and those of its backward pass."""
    try:
        from torch.utils.flop_counter import FlopCounterMode
    except ImportError:
        raise InputError(
            f'torch {torch.__version__} cannot count operations: use torch 2.1 or newer'
        ) from None
    counter = FlopCounterMode(display=False, custom_mapping=_sampling_formulas())
    with torch.set_grad_enabled(backward), counter:
        with divided_by_part(model, counter.get_total_flops) as parts:
            result = run()
        forward = counter.get_total_flops()
        if backward:
            result.backward()
    parts = {**parts, REST: forward - sum(parts.values()), TOTAL: forward}
    return parts, counter.get_total_flops() - forward


def _sampling_formulas() -> dict[object, Callable[..., int]]:
    """Operations of what torch does not count: bilinear sampling, ours and PyTorch's.

    A bilinear sample of C channels is a weighted sum of four tokens: 8C operations. Its backward
    pass spreads the gradient over the four tokens and takes its product with each of them: 16C.
    torch calls a formula with the shapes of an op's arguments, and what is no tensor as it is.
    """
    aten, ops = torch.ops.aten, torch.ops.fmmp

    def sampling(weights: Shape, tokens: Shape) -> int:
        return 8 * _product(weights) * tokens[-1]

    def projection(weights: Shape, value_weight: Shape) -> int:
        return 2 * weights[0] * weights[1] * _product(value_weight)

    formulas = {
        aten.grid_sampler_2d: lambda *_, out_shape, **__: 8 * _product(out_shape),
        aten.grid_sampler_2d_backward: lambda grad, *_, **__: 16 * _product(grad),
    }
    if library.DEVICES:
        formulas |= {
            ops.ms_deform_sample: (
                lambda value, shapes, starts, locations, weights, **_: sampling(weights, value)
            ),
            ops._ms_deform_sample_backward: (
                lambda grad, inside, value, shapes, starts, locations, weights, **_: (
                    2 * sampling(weights, value)
                )
            ),
            ops.fused_ms_deform_attn: (
                lambda tokens, shapes, starts, locations, weights, matrix, bias, **_: (
                    sampling(weights, tokens) + projection(weights, matrix)
                )
            ),
            # Samples again, then goes backward.
            ops._fused_ms_deform_attn_backward: (
                lambda grad, tokens, shapes, starts, locations, weights, matrix, bias, **_: (
                    3 * sampling(weights, tokens) + 2 * projection(weights, matrix)
                )
            ),
        }
    return formulas


def _product(shape: Shape) -> int:
    return torch.Size(shape).numel()
