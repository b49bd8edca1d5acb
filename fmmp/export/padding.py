"""How supports are padded for networks, which are not told a category's own keypoints."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor, nn

from fmmp.apis.data import data_settings
from fmmp.datasets.preparation import Preparation
from fmmp.datasets.settings import DataSettings
from fmmp.errors import InputError

from .programs import as_episode

TOLERANCE = 1e-4  # of the crop's side, between the model and what is exported


def network_padding(model: nn.Module) -> dict:
    """The padding of the config, or zeros where the method leaves padded slots out.

    A method may tell padded slots by ``num_keypoints`` of its `Episode`, and a network is not given
    it. Padded by zeros, they are keypoints that no support shows.

    Args:
        model: of `init_model`.

    Returns:
        The padding's ``type`` and its arguments.

    Raises:
        InputError: without ``num_keypoints`` the method finds something else with either.
    """
    settings = data_settings(model.cfg)
    given = settings.padding
    given = {'type': given} if isinstance(given, str) else dict(given)
    if settings.num_keypoints < 3:  # two of them, and a link between, leave nothing to pad
        return given
    expected = _found(model, settings, is_told=True)
    for padding in (given, {'type': 'zero'}):
        found = _found(model, replace(settings, padding=padding), is_told=False)
        if (found - expected).abs().max() <= TOLERANCE:
            return padding
    raise InputError(
        f'{type(model).__name__} cannot be exported: what it finds depends on num_keypoints, which '
        'the exported networks are not given'
    )


@torch.no_grad()
def _found(model: nn.Module, settings: DataSettings, is_told: bool) -> Tensor:
    """The points of a category of few keypoints on a chain, in noise."""
    random = torch.Generator().manual_seed(0)
    count = max(2, settings.num_keypoints // 4)
    if settings.num_links:
        count = min(count, settings.num_links + 1)
    side, shots = settings.image_size, model.cfg.data.num_shots
    imgs = torch.randn(shots + 1, 3, side, side, generator=random)
    points = torch.rand(shots, count, 2, generator=random).numpy()
    views = [
        {'img': img, 'keypoints': own, 'visible': own[:, 0] >= 0}
        for img, own in zip(imgs[:shots], points, strict=True)
    ]
    chain = [(number, number + 1) for number in range(count - 1)]
    supports = Preparation([], settings).episode(views, chain)
    if not is_told:
        del supports['num_keypoints']
    return model.predict(as_episode(supports, imgs[shots:]))[..., :count, :]
