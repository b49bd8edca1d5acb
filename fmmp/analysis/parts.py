"""The parts of a model between which operations and time are divided, and episodes to run it on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from mmcv import Config
from torch import nn

from fmmp.apis.data import data_settings, subset_config
from fmmp.models.episode import Episode


def modules_of(model: nn.Module, part: str) -> list[nn.Module]:
    """The modules that make up one of the model's ``parts``; none where it has none there."""
    module = model
    for name in model.parts[part].split('.'):
        module = getattr(module, name, None)
    if module is None:
        return []
    return list(module) if isinstance(module, nn.ModuleList) else [module]


@contextmanager
def divided_by_part(model: nn.Module, read: Callable[[], float]) -> Iterator[dict[str, float]]:
    """Divide what a meter counts during the forward passes inside the block.

    Args:
        model: the model that runs.
        read: reads the meter: operations or seconds so far.

    Yields:
        For each of the model's ``parts``, how far the meter went while it ran.
    """
    spent, begun, handles = dict.fromkeys(model.parts, 0), {}, []
    for part in model.parts:
        for module in modules_of(model, part):

            def begin(_: nn.Module, __: tuple, part: str = part) -> None:
                begun[part] = read()

            def end(_: nn.Module, __: tuple, ___: object, part: str = part) -> None:
                spent[part] += read() - begun[part]

            handles += [module.register_forward_pre_hook(begin), module.register_forward_hook(end)]
    try:
        yield spent
    finally:
        for handle in handles:
            handle.remove()


def random_episodes(
    config: Config,
    subset: str,
    batch: int,
    num_queries: int = 1,
    size: int | None = None,
    device: str | torch.device = 'cpu',
) -> Episode:
    """Episodes of noise in the sizes of a config, all keypoints visible, half of them real.

    Args:
        config: the config.
        subset: ``train`` or ``test``, whose settings of the data count.
        batch: B.
        num_queries: Q.
        size: side of the images in pixels; the config's unless given.
        device: where to make them; ``meta`` gives shapes alone.
    """
    settings = data_settings(config, subset)
    size, keypoints = size or settings.image_size, settings.num_keypoints
    shape = batch, subset_config(config, subset)['num_shots'] + num_queries
    references = None
    if settings.num_references:
        references = torch.randint(
            keypoints, (*shape, keypoints, settings.num_references), device=device
        )
    skeleton = None
    if settings.num_links:
        links = torch.arange(min(keypoints - 1, settings.num_links), device=device)
        skeleton = torch.stack((links, links + 1), dim=-1).expand(batch, -1, -1)
    return Episode(
        imgs=torch.randn(*shape, 3, size, size, device=device),
        points=torch.rand(*shape, keypoints, 2, device=device),
        visible=torch.ones(*shape, keypoints, dtype=torch.bool, device=device),
        reference_index=references,
        num_keypoints=torch.full((batch,), keypoints // 2, device=device),
        num_queries=num_queries,
        skeleton=skeleton,
    )
