"""Batch norms in the convolutions before them."""

import pytest
import torch
from fmmp.models.backbones.folding import fold_batch_norms
from mmpose.models import build_backbone
from torch import nn

BACKBONES = {
    'ResNet-18': dict(type='ResNet', depth=18, base_channels=8),
    'ResNet-50': dict(type='ResNet', depth=50, base_channels=8),
    'EfficientNet': dict(type='TimmBackbone', model='tf_efficientnet_lite0'),
    'timm ResNet': dict(type='TimmBackbone', model='test_resnet'),
}


def randomized(backbone):
    torch.manual_seed(0)
    for module in backbone.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.running_mean, std=0.1)
            nn.init.uniform_(module.running_var, 0.5, 2)
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.normal_(module.bias, std=0.1)
    backbone.eval()  # MMPose's do not return themselves
    return backbone


def maps(backbone, imgs):
    with torch.no_grad():
        found = backbone(imgs)
    return [found] if isinstance(found, torch.Tensor) else found


@pytest.mark.parametrize('name', BACKBONES)
def test_a_folded_backbone_gives_the_same_maps_without_batch_norms(name):
    settings = dict(BACKBONES[name])
    if settings['type'] == 'ResNet':
        settings['out_indices'] = (1, 2, 3)
    backbone = randomized(build_backbone(settings))
    names = set(backbone.state_dict())
    folded = fold_batch_norms(backbone)
    assert not any(isinstance(m, nn.BatchNorm2d) for m in folded.modules())
    imgs = torch.randn(2, 3, 64, 64)
    for one, other in zip(maps(backbone, imgs), maps(folded, imgs), strict=True):
        torch.testing.assert_close(one, other, atol=1e-4 * one.abs().max().item(), rtol=0)
    assert set(backbone.state_dict()) == names  # the one that was given is as it was


def test_a_backbone_without_batch_norms_is_itself():
    backbone = build_backbone(dict(type='TimmBackbone', model='test_vit')).eval()
    assert fold_batch_norms(backbone) is backbone


class NormFirst(nn.Module):
    """Its norm comes before the convolution, in whatever order they are listed."""

    def __init__(self):
        super().__init__()
        self.conv, self.norm = nn.Conv2d(3, 3, 3, padding=1), nn.BatchNorm2d(3)

    def forward(self, imgs):
        return self.conv(self.norm(imgs))


def test_a_batch_norm_that_does_not_follow_its_neighbour_stays():
    backbone = randomized(NormFirst())
    assert fold_batch_norms(backbone) is backbone


@pytest.mark.parametrize('name', ['ResNet-18', 'timm ResNet'])
def test_a_folded_backbone_keeps_channels_last(name):
    backbone = randomized(build_backbone(BACKBONES[name])).to(memory_format=torch.channels_last)
    folded = fold_batch_norms(backbone)
    weights = [p for p in folded.parameters() if p.dim() == 4 and min(p.shape[1:]) > 1]
    assert all(w.is_contiguous(memory_format=torch.channels_last) for w in weights)
