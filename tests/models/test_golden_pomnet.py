"""POMNet gives the numbers of its official code."""

import copy
import json

import numpy as np
import pytest
import torch
from fmmp.datasets.crop import to_image
from fmmp.models.detectors.pomnet_release import POMNetRelease
from fmmp.models.episode import Episode
from fmmp.models.layers.heatmap_decoding import decode_heatmaps

from fmmp.apis import init_model
from fmmp.checkpoints import save_atomically
from tests.baselines import BASELINES, load_baseline, released_baseline, without_dropout
from tests.tiny import ROOT

RELEASE = POMNetRelease()
CONFIG = ROOT / 'configs/pomnet/1shot/pomnet_r50_mp100_split1.py'


@pytest.fixture(scope='module')
def official():
    return released_baseline('pomnet')


@pytest.fixture(scope='module')
def model(official, tmp_path_factory):
    path = tmp_path_factory.mktemp('pomnet') / 'official.pth'
    save_atomically({'state_dict': official}, path)
    return init_model(CONFIG, path)


def test_every_tensor_of_the_official_code_is_ours_by_another_name(model, official):
    back = RELEASE.to_released(model.state_dict())
    assert back.keys() == official.keys()
    assert all(torch.equal(back[name], official[name]) for name in official)


@pytest.mark.parametrize('shots', [1, 3])
def test_tokens_heatmaps_and_points_are_the_recorded_ones(model, shots):
    batch, golden = load_baseline(f'pomnet_{shots}shot')
    episode = Episode(**batch)
    head = model.keypoint_head
    with torch.no_grad():
        supports, queries = model.extract_features(episode)
        state = model.encode_supports(supports, episode.supports)
        memory, tokens = head.match_tokens(state.tokens, state.mask, queries[-1][:, 0])
        heatmaps = head(state, queries[-1])[:, 0]
    for found, key in ((state.tokens, 'embed'), (tokens, 'tokens')):
        count = found.shape[1]
        np.testing.assert_allclose(found[..., :8], golden[key][:, :count], atol=2e-5)
        for slot in range(count, golden[key].shape[1]):  # the last one stands for these
            np.testing.assert_allclose(found[:, -1, :8], golden[key][:, slot], atol=2e-5)
    np.testing.assert_allclose(memory[..., :8], golden['memory'], atol=2e-5)
    np.testing.assert_allclose(heatmaps, golden['heatmaps'], atol=5e-5)
    points, scores = decode_heatmaps(heatmaps)
    pixels = to_image(points.double().numpy(), golden['center'][:, None], golden['scale'][:, None])
    np.testing.assert_allclose(pixels, golden['pixels'], atol=0.01)
    np.testing.assert_allclose(scores, golden['scores'], atol=5e-5)


@pytest.mark.parametrize('shots', [1, 3])
def test_loss_gradients_and_running_statistics_are_the_recorded_ones(model, shots):
    batch, golden = load_baseline(f'pomnet_{shots}shot')
    model = without_dropout(copy.deepcopy(model).train())
    with torch.set_grad_enabled(shots == 3):  # one backward pass is enough
        (loss,) = model.loss(**batch).values()
    assert loss.item() == pytest.approx(float(golden['loss']), abs=1e-5)
    if shots == 3:
        loss.backward()
        gradients = RELEASE.to_released({n: p.grad for n, p in model.named_parameters()})
        assert {*gradients} == {*golden['grad_names']}
        norms = [gradients[name].norm().item() for name in golden['grad_names']]
        assert norms == pytest.approx(golden['grad_norms'], rel=5e-3)
    state = RELEASE.to_released(model.state_dict())
    for number, name in enumerate(golden['running_names']):
        for kind in ('mean', 'var'):
            norm = state[f'{name}.running_{kind}'].norm().item()
            assert norm == pytest.approx(golden[f'running_{kind}_norms'][number], abs=1e-4)
        count = state[f'{name}.num_batches_tracked'].item()
        assert count == golden['running_count'][number]


def test_hand_made_heatmaps_are_decoded_as_recorded():
    recorded = json.loads((BASELINES / 'pomnet_decode.json').read_text())
    heatmaps = torch.zeros(len(recorded['cases']), 64, 64)
    for heatmap, case in zip(heatmaps, recorded['cases'], strict=True):
        heatmap.fill_(case['background'])
        for x, y, value in case['cells']:
            heatmap[y, x] = value
    points, scores = decode_heatmaps(heatmaps)
    center, scale = np.array(recorded['center']), np.array(recorded['scale'])
    np.testing.assert_allclose(to_image(points.numpy(), center, scale), recorded['pixels'])
    np.testing.assert_allclose(scores, recorded['scores'])
