"""Maps, modes and messages of timm's models as backbones. Weights are random."""

import re

import pytest
import timm
import torch
from fmmp.models.backbones.timm_backbone import TimmBackbone, of_simmim
from mmpose.models import build_backbone

import fmmp.apis  # noqa: F401 (registers the classes)
from fmmp.errors import InputError


def build(model, **settings):
    torch.manual_seed(0)
    return build_backbone(dict(type='TimmBackbone', model=model, **settings))


def images(side, seed=0):
    """Two images in units of [0, 1]."""
    return torch.rand(2, 3, side, side, generator=torch.Generator().manual_seed(seed))


def normalized(imgs, mean=TimmBackbone.input_mean, std=TimmBackbone.input_std):
    return (imgs - torch.tensor(mean).view(3, 1, 1)) / torch.tensor(std).view(3, 1, 1)


@pytest.mark.parametrize('name', ['test_resnet', 'test_efficientnet', 'test_convnext'])
def test_maps_are_those_of_timms_features_for_images_normalised_as_the_weights_ask(name):
    backbone = build(name).eval()
    reference = timm.create_model(name, features_only=True, out_indices=(-3, -2, -1)).eval()
    weights = backbone.model.state_dict()
    reference.load_state_dict(
        {n: weights[re.sub(r'(stem|stages)_', r'\1.', n)] for n in reference.state_dict()}
    )
    config = reference.pretrained_cfg
    imgs = images(64)
    with torch.no_grad():
        maps = backbone(normalized(imgs))
        expected = reference(normalized(imgs, config['mean'], config['std']))
    torch.testing.assert_close(maps, tuple(expected), rtol=1e-4, atol=1e-5)
    assert backbone.out_channels == tuple(level.shape[1] for level in maps)
    assert [64 // level.shape[-1] for level in maps] == [8, 16, 32] == [*backbone.strides]


def test_the_config_can_say_how_its_weights_want_images_normalised():
    backbone = build('test_resnet', mean=[0.1, 0.2, 0.3], std=[0.4, 0.5, 0.6]).eval()
    plain = build('test_resnet', mean=TimmBackbone.input_mean, std=TimmBackbone.input_std).eval()
    imgs = images(32)
    with torch.no_grad():
        maps = backbone(normalized(imgs))
        expected = plain(normalized(imgs, [0.1, 0.2, 0.3], [0.4, 0.5, 0.6]))
    torch.testing.assert_close(maps, expected)


def test_a_plain_transformers_last_tokens_are_brought_to_three_levels():
    backbone = build('test_vit').eval()
    torch.manual_seed(0)
    reference = timm.create_model('test_vit', dynamic_img_size=True).eval()
    imgs = images(96)
    with torch.no_grad():
        fine, middle, coarse = backbone(normalized(imgs))
        tokens = reference.forward_features(normalized(imgs, (0.5,) * 3, (0.5,) * 3))
    tokens = tokens[:, reference.num_prefix_tokens :].unflatten(1, (6, 6)).permute(0, 3, 1, 2)
    torch.testing.assert_close(middle, tokens, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(coarse[..., 0, 0], middle[..., :2, :2].mean((2, 3)))
    assert [level.shape[-1] for level in (fine, middle, coarse)] == [12, 6, 3]
    assert backbone.strides == (8, 16, 32) and backbone.out_channels == (64, 64, 64)


def test_a_level_of_an_odd_number_of_tokens_still_covers_the_whole_image():
    coarse = build('test_vit').eval()(torch.zeros(1, 3, 80, 80))[2]
    assert coarse.shape[-2:] == (3, 3)


@pytest.mark.parametrize(
    ('name', 'options', 'side', 'strides'),
    [
        ('vit_small_patch14_dinov2', dict(depth=1), 42, (7, 14, 28)),
        ('vit_small_patch16_dinov3', dict(depth=1), 48, (8, 16, 32)),
        ('swinv2_tiny_window8_256', dict(depths=(1, 1, 1, 1)), 96, (8, 16, 32)),
    ],
)
def test_images_may_have_another_size_than_the_weights_were_learned_on(
    name, options, side, strides
):
    backbone = build(name, **options)
    assert backbone.strides == strides
    for maps in (backbone(images(side)), backbone(images(2 * side))):
        assert all(level.isfinite().all() for level in maps)


@pytest.mark.parametrize(('name', 'near'), [('test_resnet', 96), ('test_vit', 112)])
def test_an_image_size_that_does_not_fit_is_named_with_one_that_does(name, near):
    with pytest.raises(InputError, match=f'image_size=105: {name} .*such as {near}'):
        build(name)(images(105))


def test_a_model_made_for_one_size_takes_another_as_an_option():
    name = 'vit_relpos_small_patch16_224'
    with pytest.raises(InputError, match=f'{name} takes no images of 64 .*img_size'):
        build(name, depth=1)(images(64))
    assert build(name, depth=1, img_size=64)(images(64))[1].shape[-2:] == (4, 4)


def test_a_frozen_backbone_never_trains():
    backbone = build('test_resnet', frozen=True)
    before = {name: value.clone() for name, value in backbone.state_dict().items()}
    backbone.train()
    assert not any(module.training for module in backbone.modules())
    assert not any(level.requires_grad for level in backbone(images(32)))
    assert not any(weight.requires_grad for weight in backbone.parameters())
    for name, value in backbone.state_dict().items():
        assert torch.equal(value, before[name])


@pytest.mark.parametrize('name', ['test_resnet', 'test_vit', 'test_convnext'])
def test_all_of_a_backbone_that_is_not_frozen_learns(name):
    backbone = build(name)
    sum(level.square().mean() for level in backbone(images(32))).backward()
    assert all(weight.grad is not None for weight in backbone.parameters())


def test_running_means_can_be_kept_while_the_rest_trains():
    backbone = build('test_resnet', norm_eval=True).train()
    before = backbone.model.bn1.running_mean.clone()
    maps = backbone(images(32))
    assert torch.equal(backbone.model.bn1.running_mean, before)
    assert backbone.training and all(level.requires_grad for level in maps)


def test_options_such_as_drop_path_go_to_timm():
    backbone = build('test_vit', drop_path_rate=0.9)
    imgs = images(32)
    drawn, again = backbone(imgs)[2], backbone(imgs)[2]
    assert not torch.equal(drawn, again)
    backbone.eval()
    assert torch.equal(backbone(imgs)[2], backbone(imgs)[2])


@pytest.mark.parametrize(
    ('settings', 'message'),
    [
        (dict(model='convnext_tinny'), "model='convnext_tinny'.* near are convnext_tiny"),
        (dict(model='resnet18.nobody'), "model='resnet18.nobody': .*nobody"),
        (dict(model='hf-hub:someone/something'), 'no such model'),
        (dict(model='nest_tiny'), r'strides \[4, 8, 16\]: .*8, 16, 32'),
        (dict(model='test_resnet', dropp=1), r"other options than \['dropp'\]"),
        (dict(model='test_resnet', weights='a.pth'), "frozen=True; .*model.pretrained='a.pth'"),
    ],
)
def test_a_setting_that_cannot_be_is_named(settings, message):
    with pytest.raises(InputError, match=message):
        build(**settings)


def test_weights_pretrained_by_simmim_are_the_encoders_by_their_later_names():
    state = {'encoder.blocks.0.rpe_mlp.0.bias': 1, 'encoder.mask_token': 2, 'decoder.0.weight': 3}
    assert of_simmim(state) == {'blocks.0.cpb_mlp.0.bias': 1}


@pytest.mark.parametrize('name', ['test_resnet', 'test_vit'])
def test_maps_that_are_not_asked_for_are_left_out_and_the_others_stay(name):
    options = {'mean': (0.5,) * 3, 'std': (0.5,) * 3}
    whole, part = build(name, **options).eval(), build(name, out_indices=(1,), **options).eval()
    part.load_state_dict({n: whole.state_dict()[n] for n in part.state_dict()})
    with torch.no_grad():
        expected, found = whole(images(64)), part(images(64))
    torch.testing.assert_close(found, expected[1:2])
    assert part.out_channels == whole.out_channels[1:2]
    assert part.strides == whole.strides[1:2]


@pytest.mark.parametrize('indices', [(), (3,), (-1,), (2, 0), (1, 1)])
def test_maps_that_there_are_not_or_in_another_order_cannot_be_asked_for(indices):
    with pytest.raises(InputError, match='choose from the maps 0, 1'):
        build('test_resnet', out_indices=indices)
