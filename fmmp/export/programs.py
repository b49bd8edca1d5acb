"""A model's two networks as programs of torch.export."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.export import Dim, ExportedProgram

from fmmp.apis.data import data_settings
from fmmp.errors import InputError
from fmmp.models.episode import Episode
from fmmp.models.ops import library

from .networks import QueryNetwork, SupportNetwork, tensors_of

Sizes = dict[str, int]
"""How many ``shots``, ``keypoints`` and ``queries`` there are."""


@dataclass(frozen=True)
class Programs:
    """What torch.export has made of a model.

    Attributes:
        support, query: the programs, see `SupportNetwork` and `QueryNetwork`.
        support_inputs, query_inputs: their inputs' names. The query's are ``imgs`` and what the
            support program gives.
        dynamic: the sizes that may differ from call to call.
        sizes: those that it was made with.
    """

    support: ExportedProgram
    query: ExportedProgram
    support_inputs: list[str]
    query_inputs: list[str]
    dynamic: list[str]
    sizes: Sizes


def example(model: nn.Module, sizes: Sizes, seed: int = 0) -> tuple[dict[str, Tensor], Tensor]:
    """Supports and queries of noise, their keypoints anywhere, some out of sight.

    Returns:
        The supports' inputs by their names in `Episode`, (S, …), ``skeleton``, if the model reads
        it, (links, 2), and the queries' images.
    """
    settings = data_settings(model.cfg)
    random = torch.Generator().manual_seed(seed)
    shots, keypoints, queries = (sizes[name] for name in ('shots', 'keypoints', 'queries'))
    side = settings.image_size
    imgs = torch.randn(shots + queries, 3, side, side, generator=random)
    supports = {
        'imgs': imgs[:shots].clone(),
        'points': torch.rand(shots, keypoints, 2, generator=random),
        'visible': torch.rand(shots, keypoints, generator=random) < 0.8,
    }
    supports['visible'][:, -1] = True  # so that no method leaves slots behind the last one out
    if model.num_references:
        count = settings.num_references
        index = torch.randint(keypoints, (shots, keypoints, count), generator=random)
        index[..., 0] = torch.arange(keypoints)
        supports['reference_index'] = index
    if model.reads_skeleton:
        supports['skeleton'] = torch.randint(keypoints, (settings.num_links, 2), generator=random)
    return supports, imgs[shots:].clone()


def as_episode(supports: dict[str, Tensor], imgs: Tensor) -> Episode:
    """The one episode of supports, such as an `example`'s; of the queries only images count."""
    batch = {}
    for name, value in supports.items():
        if name in ('skeleton', 'num_keypoints'):
            batch[name] = value[None]
            continue
        nothing = value.new_zeros(len(imgs), *value.shape[1:])
        batch[name] = torch.cat([value, imgs if name == 'imgs' else nothing])[None]
    return Episode(**batch, num_queries=len(imgs))


@torch.no_grad()
def make_programs(model: nn.Module) -> Programs:
    """Export with as many dynamic sizes as the method allows.

    Raises:
        InputError: the method cannot be exported.
    """
    keypoints, shots = data_settings(model.cfg).num_keypoints, model.cfg.data.num_shots
    sizes = {'shots': 3 if keypoints == 2 else 2, 'keypoints': keypoints, 'queries': 3}
    for dynamic in (['queries', 'shots', 'keypoints'], ['queries', 'shots'], ['queries']):
        if 'shots' not in dynamic:
            sizes['shots'] = shots
        try:
            return _make_programs(model, sizes, dynamic)
        except Exception as error:  # torch.export's are of many kinds
            reason = error
    raise InputError(f'{type(model).__name__} cannot be exported: {reason}') from reason


def _make_programs(model: nn.Module, sizes: Sizes, dynamic: list[str]) -> Programs:
    supports, imgs = example(model, sizes)
    support = SupportNetwork(model, [*supports][3:])
    state = support.encode(*supports.values())
    query = QueryNetwork(model, state)
    tensors = {name: value.clone() for name, value in tensors_of(state).items()}

    # An axis is dynamic where its length follows a dynamic size.
    dims = {name: Dim(name, min=1) for name in dynamic}
    name_of = {sizes[name]: name for name in ('shots', 'keypoints')}
    others, _ = example(model, {name: sizes[name] + (name in dims) for name in sizes})
    other_tensors = tensors_of(support.encode(*others.values()))

    def axes(values: dict[str, Tensor], others: dict[str, Tensor]) -> list[dict[int, Dim]]:
        shapes = [(value.shape, others[name].shape) for name, value in values.items()]
        return [
            {axis: dims[name_of[n]] for axis, n in enumerate(shape) if n != other[axis]}
            for shape, other in shapes
        ]

    with library.plain_pytorch():
        return Programs(
            _export(support, [*supports.values()], axes(supports, others)),
            _export(
                query,
                [imgs, *tensors.values()],
                [{0: dims['queries']}, *axes(tensors, other_tensors)],
            ),
            [*supports],
            ['imgs', *tensors],
            dynamic,
            dict(sizes),
        )


def _export(network: nn.Module, inputs: Sequence[Tensor], axes: Sequence) -> ExportedProgram:
    return torch.export.export(network, tuple(inputs), dynamic_shapes=(tuple(axes),))
