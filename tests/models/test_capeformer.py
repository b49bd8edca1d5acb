"""CapeFormer gives the numbers of its authors' implementation."""

import copy

import numpy as np
import pytest
import torch
from fmmp.datasets.crop import to_image
from fmmp.models.episode import Episode

from fmmp.apis import init_model
from fmmp.apis.model import find_release
from fmmp.errors import CheckpointError
from tests.baselines import load_baseline, released_baseline, without_dropout
from tests.methods import random_batch, small_model
from tests.tiny import ROOT

CONFIG = ROOT / 'configs/capeformer/1shot/capeformer_r50_mp100_split1.py'


@pytest.fixture(scope='module')
def model():
    model = init_model(CONFIG)
    model.load_state_dict(model.release.to_ours(released_baseline('capeformer')))
    return model


@pytest.fixture(scope='module', params=[1, 3])
def recorded(model, request):
    """What the model finds in the recorded episodes: by name, with the recorded numbers."""
    inputs, golden = load_baseline(f'capeformer_{request.param}shot')
    episode, tokens = Episode(**inputs), []
    head = model.keypoint_head
    handle = head.encoder[-1].register_forward_hook(lambda *call: tokens.append(call[-1]))
    with torch.no_grad():
        supports, queries = model.extract_features(episode)
        state = model.encode_supports(supports, episode.supports)
        found = head(state, queries[-1][:, 0])._asdict()
    handle.remove()
    found['embed'] = state.embed[..., :8]
    found['memory'], found['refined'] = tokens[0][..., :8].split([64, 100], dim=1)
    return {name: value.numpy() for name, value in found.items()}, golden


NAMES = {
    'embed': ('embed', 2e-5),
    'memory': ('memory', 2e-5),
    'refined': ('refined', 2e-5),
    'similarity': ('similarity', 5e-4),
    'at_peak': ('proposals', 5e-5),
    'everywhere': ('proposals_global', 5e-5),
    'iterated': ('iterated', 5e-5),
    'points': ('predictions', 5e-5),
}


@pytest.mark.parametrize('name', NAMES)
def test_the_model_computes_the_recorded_numbers(recorded, name):
    found, golden = recorded
    key, tolerance = NAMES[name]
    np.testing.assert_allclose(found[name], golden[key], rtol=0, atol=tolerance)


def test_predictions_in_pixels_are_the_recorded_ones(recorded):
    found, golden = recorded
    for points, center, scale, pixels in zip(
        found['points'][:, -1], golden['center'], golden['scale'], golden['pixels'], strict=True
    ):
        np.testing.assert_allclose(to_image(points, center, scale), pixels, rtol=0, atol=0.01)


@pytest.mark.parametrize('shots', [1, 3])
def test_losses_gradients_and_running_statistics_are_the_recorded_ones(model, shots):
    inputs, golden = load_baseline(f'capeformer_{shots}shot')
    model = without_dropout(copy.deepcopy(model).train())
    num_keypoints = torch.from_numpy(golden['num_keypoints'])
    with torch.set_grad_enabled(shots == 1):  # one backward pass is enough
        losses = model.losses_by_kind(Episode(**inputs, num_keypoints=num_keypoints))
    for kind, values in losses.items():
        np.testing.assert_allclose(values.detach(), golden[f'loss_{kind}'], rtol=0, atol=1e-5)

    if shots == 1:
        compare_gradients(model, losses, golden)
    state = model.release.to_released(model.state_dict())
    for name, mean, var, count in zip(
        *(golden[f'running_{n}'] for n in ('names', 'mean_norms', 'var_norms', 'count')),
        strict=True,
    ):
        assert state[f'{name}.running_mean'].norm().item() == pytest.approx(mean, abs=1e-4)
        assert state[f'{name}.running_var'].norm().item() == pytest.approx(var, abs=1e-4)
        assert state[f'{name}.num_batches_tracked'] == count


def compare_gradients(model, losses, golden):
    losses['layers'].sum().backward(retain_graph=True)
    compare(gradient_norms(model, golden['layers_grad_names']), golden['layers_grad_norms'], 1e-3)
    model.zero_grad()
    sum(value.sum() for value in losses.values()).backward()
    # The backbone's gradients jump where rounding decides on which side of a ReLU a value falls:
    # float32 is 4e-3 from float64 there. The head's are smooth.
    norms = np.array(gradient_norms(model, golden['grad_names']))
    head = np.char.startswith(golden['grad_names'], 'keypoint_head.')
    compare(norms[head], golden['grad_norms'][head], 1e-3)
    compare(norms[~head], golden['grad_norms'][~head], 1e-2)


def gradient_norms(model, names):
    """Norms of the parameters' gradients, by their released names."""
    gradients = {name: value.grad for name, value in model.named_parameters()}
    released = model.release.to_released(gradients)
    return [released[str(name)].norm().item() for name in names]


def compare(norms, recorded, tolerance):
    np.testing.assert_allclose(norms, recorded, rtol=tolerance)


def test_a_released_checkpoint_is_known_by_its_names_and_comes_back_tensor_for_tensor():
    released = released_baseline('capeformer')
    release = find_release(released)
    ours = release.to_ours(released)
    assert find_release(ours) is release
    again = release.to_released(ours)
    assert again.keys() == released.keys()
    assert all(torch.equal(again[name], released[name]) for name in released)


def test_a_checkpoint_whose_two_backbones_differ_is_refused():
    released = released_baseline('capeformer')
    name = 'encoder_query.layer4.2.conv3.weight'
    with pytest.raises(CheckpointError, match=r'not the same backbone: .* layer4\.2\.conv3'):
        find_release(released).to_ours({**released, name: released[name] + 1})


def test_leaving_padded_slots_out_changes_no_keypoint_of_the_category():
    model, batch = small_model('CapeFormer'), random_batch(shots=2)
    numbers = batch.pop('num_keypoints')
    with torch.no_grad():
        whole = model.forward_points(**batch)
        short = model.forward_points(**batch, num_keypoints=numbers)
    for count, some, all_ in zip(numbers, short, whole, strict=True):
        torch.testing.assert_close(some[:, :count], all_[:, :count], atol=1e-5, rtol=0)
    assert not short[:, :, numbers.max() :].any()
