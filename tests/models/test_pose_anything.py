"""PoseAnything gives the numbers of its authors' implementation."""

import json
from typing import NamedTuple

import numpy as np
import pytest
import torch
from fmmp.datasets.crop import to_image
from fmmp.models.detectors.pose_anything import PoseAnything
from fmmp.models.episode import Episode
from fmmp.models.layers.graph import adjacency
from mmcv import Config
from mmpose.models import build_head
from timm.models.swin_transformer_v2 import SwinTransformerV2Block
from torch import nn

from fmmp.apis import init_model
from fmmp.apis.model import find_release
from fmmp.checkpoints import load_weights
from fmmp.errors import CheckpointError, InputError
from tests.baselines import (
    BASELINES,
    load_baseline,
    pose_anything_weights,
    released_baseline,
    without_dropout,
)
from tests.methods import random_batch, small_model
from tests.tiny import ROOT

CONFIG = ROOT / 'configs/poseanything/1shot/poseanything_tiny_mp100_split1.py'


def recorded_weights(model):
    """The recorded weights of a model, by our names."""
    released = model.release.to_released(model.state_dict())
    state = pose_anything_weights([(name, value.shape) for name, value in released.items()])
    return model.release.to_ours(state)


@pytest.fixture(scope='module')
def model():
    model = init_model(CONFIG)
    model.load_state_dict(recorded_weights(model))
    return model


class Recorded(NamedTuple):
    """A recorded episode, what the model computes of it, and the recorded numbers."""

    episode: Episode
    features: tuple
    state: tuple
    prediction: tuple
    found: dict
    golden: dict


@pytest.fixture(scope='module', params=[1, 3])
def recorded(model, request):
    inputs, golden = load_baseline(f'poseanything_{request.param}shot')
    episode, tokens, convolved = Episode(**inputs), [], []
    head = model.keypoint_head
    handles = [head.encoder[-1].register_forward_hook(lambda *call: tokens.append(call[-1]))]
    handles += [
        layer.ffn.first.register_forward_hook(lambda *call: convolved.append(call[-1]))
        for layer in head.decoder
    ]
    with torch.set_grad_enabled(request.param == 1):  # one backward pass of the backbone is enough
        features = model.extract_features(episode)
    state = model.encode_supports(features[0], episode.supports)
    prediction = head(state, features[1][-1][:, 0])
    for handle in handles:
        handle.remove()
    found = prediction._asdict()
    maps = torch.cat([parts[-1] for parts in features], dim=1)
    found['features'] = maps.flatten(-2).transpose(-2, -1)[..., :8]
    found['embed'] = state.embed[..., :8]
    found['memory'], found['refined'] = tokens[0][..., :8].tensor_split([256], dim=1)
    found['graph'] = torch.stack(convolved, dim=1)[..., :8]
    found['on'], found['links'] = state.graph
    found = {name: value.detach().numpy() for name, value in found.items()}
    return Recorded(episode, features, state, prediction, found, golden)


NAMES = {
    'features': ('features', 1e-4),
    'embed': ('embed', 5e-5),
    'memory': ('memory', 5e-5),
    'refined': ('refined', 5e-5),
    'graph': ('graph', 5e-5),
    'on': ('self_adjacency', 0),
    'links': ('adjacency', 1e-6),
    'similarity': ('similarity', 2e-3),
    'at_peak': ('proposals', 1e-4),
    'everywhere': ('proposals_global', 1e-4),
    'iterated': ('iterated', 1e-4),
    'points': ('predictions', 1e-4),
}


@pytest.mark.parametrize('name', NAMES)
def test_the_model_computes_the_recorded_numbers(recorded, name):
    key, tolerance = NAMES[name]
    np.testing.assert_allclose(recorded.found[name], recorded.golden[key], rtol=0, atol=tolerance)


def test_predictions_in_pixels_are_the_recorded_ones(recorded):
    golden = recorded.golden
    for points, center, scale, pixels in zip(
        recorded.found['points'][:, -1],
        *(golden[name] for name in ('center', 'scale', 'pixels')),
        strict=True,
    ):
        np.testing.assert_allclose(to_image(points, center, scale), pixels, rtol=0, atol=0.02)


def test_losses_and_gradients_are_the_recorded_ones(model, recorded):
    # Without dropout and batch norm, training computes what evaluation does.
    golden = recorded.golden
    losses = model.keypoint_head.losses(
        recorded.state, recorded.prediction, recorded.episode.queries
    )
    for kind, values in losses.items():
        np.testing.assert_allclose(values.detach(), golden[f'loss_{kind}'], rtol=0, atol=1e-5)
    model.zero_grad()
    losses['layers'].sum().backward(retain_graph=True)
    compare_gradients(model, golden['layers_grad_names'], golden['layers_grad_norms'])
    model.zero_grad()
    sum(value.sum() for value in losses.values()).backward()
    names, norms = golden['grad_names'], golden['grad_norms']
    of_head = np.char.startswith(names, 'keypoint_head.')
    compare_gradients(model, names[of_head], norms[of_head])
    if recorded.episode.num_shots == 1:  # of the backbone, float32 is 6e-4 from float64
        compare_gradients(model, names[~of_head], norms[~of_head], tolerance=1e-3)


def compare_gradients(model, names, recorded, tolerance=2e-4):
    """Norms of the parameters' gradients; those below 1e-5 are rounding."""
    gradients = {n: p.grad for n, p in model.named_parameters() if p.grad is not None}
    released = model.release.to_released(gradients)
    norms = np.array([released[str(name)].norm().item() for name in names])
    counts = recorded > 1e-5
    np.testing.assert_allclose(norms[counts], recorded[counts], rtol=tolerance)


@pytest.mark.parametrize('recorded', [1], indirect=True)
@pytest.mark.parametrize('graph', [None, 'post', 'both'])
def test_the_variants_of_the_graph_predict_the_recorded_points(recorded, graph):
    config = Config.fromfile(str(CONFIG))
    config.model.keypoint_head.update(graph=graph, in_channels=768)
    model = nn.Module()
    model.keypoint_head = head = build_head(config.model.keypoint_head).eval()
    model.release = PoseAnything.release
    model.load_state_dict(recorded_weights(model))
    supports, queries = (parts[-1] for parts in recorded.features)
    with torch.no_grad():
        state = head.encode_supports(supports, recorded.episode.supports)
        points = head(state, queries[:, 0]).points
    expected = recorded.golden[f'predictions_{graph or "none"}']
    np.testing.assert_allclose(points, expected, rtol=0, atol=1e-4)


def test_leaving_padded_slots_out_changes_neither_predictions_nor_losses():
    model, batch = without_dropout(small_model('PoseAnything')), random_batch(shots=2)
    numbers = batch.pop('num_keypoints')
    with torch.no_grad():
        whole = model.forward_points(**batch)
        short = model.forward_points(**batch, num_keypoints=numbers)
        model.train()
        expected = model.loss(**batch)
        losses = model.loss(**batch, num_keypoints=numbers)
    for count, some, all_ in zip(numbers, short, whole, strict=True):
        torch.testing.assert_close(some[:, :count], all_[:, :count], atol=1e-5, rtol=0)
    for kind, loss in losses.items():
        torch.testing.assert_close(loss, expected[kind], atol=1e-5, rtol=0)


def test_an_episode_without_a_skeleton_is_refused():
    batch = random_batch()
    del batch['skeleton']
    with pytest.raises(InputError, match=r'set data\.data_cfg\.num_links'):
        small_model('PoseAnything').forward_points(**batch)


def test_a_released_checkpoint_comes_back_tensor_for_tensor_with_its_constants(model):
    listing = json.loads((BASELINES / 'poseanything_state_dict.json').read_text())
    released = released_baseline('poseanything')
    release = find_release(released)
    ours = release.to_ours(released)
    assert find_release(ours) is release
    again = release.to_released(ours)
    assert {name: list(value.shape) for name, value in again.items()} == dict(listing)
    assert all(torch.equal(again[name], value) for name, value in released.items())
    load_weights(model, 'released', {'state_dict': again})  # constants and classifier, too
    load_weights(model, 'ours', {'state_dict': ours})


def test_the_released_constants_are_those_that_timm_computes(model):
    released = model.release.to_released(model.state_dict())
    for stage, window in ((0, 16), (3, 8)):
        side = 64 >> stage
        block = SwinTransformerV2Block(
            96, (side, side), 3, window_size=window, shift_size=0 if stage else 8
        )
        prefix = f'backbone.layers.{stage}.blocks.1'
        attention = f'{prefix}.attn.relative_'
        index, table = (released[attention + n] for n in ('position_index', 'coords_table'))
        assert torch.equal(index, block.attn.relative_position_index)
        torch.testing.assert_close(table, block.attn.relative_coords_table)
        mask = released.get(f'{prefix}.attn_mask')
        assert torch.equal(mask, block.attn_mask) if block.shift_size[0] else mask is None


def test_a_released_checkpoint_whose_constants_are_of_other_windows_is_refused(model):
    released = model.release.to_released(model.state_dict())
    name = 'backbone.layers.0.blocks.1.attn_mask'
    with pytest.raises(CheckpointError, match=r'blocks\.1\.attn_mask is not that of windows of 16'):
        model.release.to_ours({**released, name: released[name] / 2})


def test_a_keypoint_divides_itself_among_its_neighbours_that_take_part():
    skeleton = torch.tensor([[[0, 1], [1, 0], [0, 2], [0, 3], [4, 4], [-1, -1]]])
    on = torch.tensor([[True, True, True, False, True]])
    links = adjacency(skeleton, on)[0]
    expected = torch.zeros(5, 5)
    expected[0, 1] = expected[0, 2] = 0.5
    expected[1, 0] = expected[2, 0] = expected[4, 4] = 1
    assert torch.equal(links, expected)


def test_a_category_without_links_gets_nothing_from_neighbours():
    skeleton = torch.full((1, 3, 2), -1)
    assert not adjacency(skeleton, torch.ones(1, 4, dtype=torch.bool)).any()
