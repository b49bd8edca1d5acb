"""Every method, small: what all of them must hold is tested over these."""

import torch
from fmmp.models.episode import Episode
from mmpose.models import build_posenet

import fmmp.apis  # noqa: F401 (registers the methods)

K = 10

RESNET = dict(type='ResNet', depth=18, base_channels=8)
TWO_STAGE = dict(
    type='TwoStageHead',
    embed_dims=32,
    num_encoder_layers=1,
    num_decoder_layers=2,
    num_heads=4,
    hidden_dims=32,
)
METHODS = {
    'FMMP': dict(
        type='FMMP',
        backbone=dict(RESNET, out_indices=(1, 2, 3)),
        neck=dict(type='FeaturePyramid', out_channels=32),
        keypoint_head=dict(type='RecurrentMiningHead', num_branches=4, num_heads=4, num_layers=2),
    ),
    'matching': dict(type='FeatureMatching', backbone=dict(RESNET, out_indices=(1, 2, 3))),
    'CapeFormer': dict(
        type='CapeFormer',
        backbone=dict(RESNET, out_indices=(3,)),
        keypoint_head=TWO_STAGE,
    ),
    'PoseAnything': dict(
        type='PoseAnything',
        backbone=dict(RESNET, out_indices=(3,)),
        keypoint_head=dict(TWO_STAGE, sigma=1.0, upsampling=2, number_keypoints=False, graph='pre'),
    ),
    'POMNet': dict(
        type='POMNet',
        backbone=dict(RESNET, out_indices=(3,)),
        keypoint_head=dict(
            type='HeatmapMatchingHead',
            embed_dims=32,
            num_layers=1,
            num_heads=4,
            hidden_dims=32,
            channels=16,
        ),
    ),
}
TRAINED = [name for name in METHODS if name != 'matching']
VARIANTS = {
    **METHODS,
    'FMMP, comparing': dict(
        METHODS['FMMP'],
        neck=dict(METHODS['FMMP']['neck'], unit_scale=True),
        keypoint_head=dict(
            METHODS['FMMP']['keypoint_head'],
            initial_points='raw_matching',
            local_match=(0.3, 0.1),
            own_weights=True,
            compare_samples=True,
        ),
    ),
}


def small_model(method, seed=0):
    """A method's model whose every matrix matters: fresh ones hardly look at the image."""
    torch.manual_seed(seed)
    model = build_posenet(VARIANTS[method])
    for parameter in getattr(model, 'keypoint_head', model).parameters():
        if parameter.requires_grad and parameter.dim() > 1:
            torch.nn.init.normal_(parameter, std=0.2)
    return model.eval()


def random_batch(batch=2, shots=1, queries=1, seed=0):
    """Episodes of categories of 4, 7, 4, … keypoints, padded by zeros; what methods may ask for."""
    generator = torch.Generator().manual_seed(seed)
    images = shots + queries
    num_keypoints = torch.tensor([4, 7])[torch.arange(batch) % 2]
    real = (torch.arange(K) < num_keypoints[:, None])[:, None]
    points = torch.rand(batch, images, K, 2, generator=generator)
    visible = torch.rand(batch, images, K, generator=generator) < 0.8
    return dict(
        imgs=torch.randn(batch, images, 3, 64, 64, generator=generator),
        points=points * real[..., None],
        visible=visible & real,
        reference_index=torch.randint(4, (batch, images, K, 16), generator=generator),
        num_keypoints=num_keypoints,
        skeleton=torch.tensor([[0, 1], [1, 2], [2, 3], [-1, -1]]).expand(batch, -1, -1),
    )


def chosen(batch, images):
    """The same episodes with some of their images."""
    per_image = ('imgs', 'points', 'visible', 'reference_index')
    return {**batch, **{name: batch[name][:, images] for name in per_image}}


def supports_of(batch):
    """The supports of a batch of one query."""
    return Episode(**batch).supports
