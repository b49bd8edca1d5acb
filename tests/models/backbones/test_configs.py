"""The whole detector of every backbone's config, from random weights on tiny images."""

from pathlib import Path

import pytest
import torch
from fmmp.models.backbones import sources
from mmcv import Config
from mmpose.models import build_posenet

import fmmp.apis  # noqa: F401 (registers the classes)
from fmmp.apis import init_model
from fmmp.apis.model import require_fitting_data
from fmmp.errors import CheckpointError
from tests.tiny import ROOT

CONFIGS = sorted((ROOT / 'configs/fmmp/backbones').glob('*.py'))
FEW_BLOCKS = {
    'vit_small_patch14_dinov2.lvd142m': dict(depth=1),
    'convnext_tiny.fb_in1k': dict(depths=(1, 1, 1, 1)),
    'swinv2_tiny_window8_256.ms_in1k': dict(depths=(1, 1, 1, 1)),
    'tf_efficientnet_lite0': {},
}


def episode(side, keypoints=3):
    """A support and a query."""
    index = torch.arange(keypoints).view(1, 1, -1, 1).expand(1, 2, -1, 16)
    generator = torch.Generator().manual_seed(0)
    return dict(
        imgs=torch.rand(1, 2, 3, side, side, generator=generator),
        points=torch.rand(1, 2, keypoints, 2, generator=generator),
        visible=torch.ones(1, 2, keypoints, dtype=torch.bool),
        reference_index=index,
    )


@pytest.mark.parametrize('path', CONFIGS, ids=lambda path: path.stem)
def test_a_configs_detector_finds_points_and_learns_where_it_is_not_frozen(path):
    config = Config.fromfile(str(path))
    settings = config.model
    settings.pretrained = settings.backbone.weights = None
    settings.backbone.update(FEW_BLOCKS[settings.backbone.model])
    settings.keypoint_head.update(num_layers=1, num_branches=1, hidden_dims=8)
    model = build_posenet(settings)
    backbone = model.backbone
    require_fitting_data(model, config, ('train', 'val', 'test'))

    tensors = episode(side=2 * backbone.size_divisor)
    points = model.forward_points(**tensors)
    assert points.shape == (1, 1, 3, 2) and points.isfinite().all()
    sum(model.loss(**tensors, num_keypoints=torch.tensor([3])).values()).backward()
    assert all(weight.grad is not None for weight in model.neck.parameters())
    for weight in backbone.parameters():
        assert (weight.grad is None) == backbone.frozen


def test_init_model_does_not_ask_the_hub(monkeypatch):
    asked = []
    monkeypatch.setattr(sources, '_of_hub', lambda *args: asked.append(args) or Path('nowhere'))
    config = Config.fromfile(str(CONFIGS[0]))
    config.model.pretrained = 'timm:test_vit.r160_in1k'
    config.model.backbone = dict(type='TimmBackbone', model='test_vit')
    init_model(config)
    assert not asked
    config.model.backbone.update(weights='timm:test_vit.r160_in1k', frozen=True)
    with pytest.raises(CheckpointError, match='nowhere'):
        init_model(config)
    assert asked == [('timm:test_vit.r160_in1k', False)]
