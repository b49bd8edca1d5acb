"""POMNet: what it computes at once is what its equations say, keypoint by keypoint."""

import copy

import pytest
import torch
import torch.nn.functional as F
from fmmp.models.layers.keypoint_matching import KeypointMatching, PairConvolution, norm_each
from mmpose.models import build_posenet
from torch import nn

from tests.methods import METHODS, random_batch, small_model, supports_of

D, K = 8, 5


def tensors(*shapes, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(*shape, generator=generator) for shape in shapes]


@pytest.mark.parametrize('size', [(1, 1), (2, 3), (4, 4)])
def test_the_pair_convolution_is_that_of_the_map_and_the_repeated_token(size):
    image, tokens, weight = tensors((2, D, *size), (2, K, D), (D, 2 * D, 3, 3))
    convolution = PairConvolution(D)
    convolution.weight.data = weight
    found = convolution(image, tokens)
    for keypoint in range(K):
        token = tokens[:, keypoint, :, None, None].expand(-1, -1, *size)
        expected = F.conv2d(torch.cat((image, token), dim=1), weight, padding=1)
        torch.testing.assert_close(found[:, keypoint], expected, atol=1e-5, rtol=1e-5)


def fresh_norm():
    norm = nn.BatchNorm2d(D)
    for tensor in (norm.weight, norm.bias, norm.running_mean):
        nn.init.normal_(tensor, generator=torch.Generator().manual_seed(1))
    return norm


@pytest.mark.parametrize('alike', [1, 32])
def test_norming_all_keypoints_at_once_is_norming_one_after_the_other(alike):
    (x,) = tensors((3, K, D, 4, 4))
    one_by_one, at_once = fresh_norm(), fresh_norm()
    expected = [one_by_one(x[:, keypoint]) for keypoint in range(K)]
    for _ in range(alike - 1):
        one_by_one(x[:, -1])
    found = norm_each(at_once, x.flatten(0, 1), K, alike).unflatten(0, (3, K))
    torch.testing.assert_close(found, torch.stack(expected, dim=1), atol=1e-5, rtol=1e-5)
    for name, value in one_by_one.state_dict().items():
        torch.testing.assert_close(at_once.state_dict()[name], value, atol=1e-5, rtol=1e-5)


def test_padded_keypoints_left_out_of_batch_norm_change_neither_maps_nor_statistics():
    torch.manual_seed(0)
    matching = KeypointMatching(D, channels=D, batch_norm='real').train()
    image, tokens = tensors((2, D, 2, 2), (2, K, D))
    real = torch.tensor([[True] * 3 + [False] * 2, [True] * 4 + [False]])
    states, maps = [], []
    for padding in (0.0, 100.0):
        one = copy.deepcopy(matching)
        maps.append(one(image, torch.where(real[..., None], tokens, padding), real))
        states.append(one.state_dict())
    assert torch.equal(*maps) and not maps[0][~real].any() and maps[0][real].any()
    assert all(torch.equal(states[1][name], value) for name, value in states[0].items())
    assert states[0]['pair_norm.running_mean'].any()


def episodes(shots=1):
    """Two episodes of 40 slots, of which 4 and 7 are no padding."""
    batch = random_batch(shots=shots)
    for name in ('points', 'visible'):
        value = batch[name]
        batch[name] = torch.cat((value, value.new_zeros(2, shots + 1, 30, *value.shape[3:])), dim=2)
    return batch


def test_any_number_of_padded_slots_is_computed_once_and_changes_nothing():
    model, few, many = small_model('POMNet'), random_batch(), episodes()
    maps = []
    model.keypoint_head.matching.upsample[0].register_forward_hook(lambda *call: maps.append(call))
    with torch.no_grad():
        found = model.forward_points(**many)
        torch.testing.assert_close(found[:, :, :10], model.forward_points(**few))
    assert len(maps[0][1][0]) == 2 * 8 and found.shape == (2, 1, 40, 2)
    assert torch.equal(found[:, :, 7:8].expand(-1, -1, 33, -1), found[:, :, 7:])


@pytest.mark.parametrize('batch_norm', ['each', 'real'])
def test_an_episode_without_a_jointly_visible_keypoint_adds_nothing_to_the_loss(batch_norm):
    model, batch = small_model('POMNet').train(), episodes(shots=2)
    model.keypoint_head.matching.batch_norm = batch_norm
    batch['visible'][0, 0] = False
    assert model.loss(**batch)['loss_heatmap'] > 0
    batch['visible'][1, -1] = False
    assert model.loss(**batch)['loss_heatmap'] == 0


def test_each_backbone_learns_from_its_own_images():
    model = small_model('POMNet').train()
    model.loss(**episodes(shots=3))
    counts = [b.bn1.num_batches_tracked.item() for b in (model.backbone, model.query_backbone)]
    assert counts == [3, 1]


def test_the_heatmaps_peak_speaks_for_an_answer():
    model, batch = small_model('POMNet'), random_batch()
    found = model.find(model.encode(supports_of(batch)), batch['imgs'][:, -1:])
    peaks = found.evidence['peak']
    assert peaks.shape == (2, 1, 7) and peaks.isfinite().all()
    assert ((peaks > 0) == (found.points[:, :, -1, :7, 0] >= 0)).all()


def test_frozen_backbones_weights_stay_out_of_checkpoints():
    backbone = dict(
        type='TimmBackbone',
        model='tf_efficientnet_lite0',
        weights='package:efficientnet_lite0',
        frozen=True,
    )
    model = build_posenet({**METHODS['POMNet'], 'backbone': backbone})
    elsewhere = tuple(model.weights_elsewhere)
    kept = {name.split('.')[0] for name in model.state_dict() if not name.startswith(elsewhere)}
    assert kept == {'keypoint_head'}
