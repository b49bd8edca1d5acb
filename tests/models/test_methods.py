"""What holds for every method."""

import pytest
import torch

from fmmp.apis.model import place
from tests.baselines import without_dropout
from tests.methods import VARIANTS, chosen, random_batch, small_model, supports_of

TRAINED = [name for name in VARIANTS if name != 'matching']


@pytest.fixture(scope='module', params=VARIANTS)
def model(request):
    return small_model(request.param)


@pytest.mark.parametrize('query_batch_size', [2, None])
def test_queries_that_share_supports_are_predicted_as_pair_by_pair(model, query_batch_size):
    batch = random_batch(batch=2, shots=2, queries=5)
    with pytest.MonkeyPatch.context() as patch, torch.no_grad():
        patch.setattr(model, 'test_cfg', dict(query_batch_size=query_batch_size))
        together = model.predict_episodes(**batch, num_queries=5)
        assert together.shape == (2, 5, 10, 2)
        for query in range(5):
            pair = model.forward_points(**chosen(batch, [0, 1, 2 + query]))
            torch.testing.assert_close(together[:, query], pair[:, -1], atol=1e-5, rtol=0)


def test_predictions_of_a_batch_are_those_of_its_episodes_alone(model):
    batch = random_batch(batch=3, shots=2)
    with torch.no_grad():
        together = model.forward_points(**batch)
        for number, count in enumerate(batch['num_keypoints']):  # padded ones may be anywhere
            alone = model.forward_points(**{n: v[number : number + 1] for n, v in batch.items()})
            found, expected = together[number, :, :count], alone[0, :, :count]
            torch.testing.assert_close(found, expected, atol=1e-5, rtol=0)


def test_the_querys_annotation_does_not_reach_its_prediction(model):
    batch = random_batch()
    with torch.no_grad():
        expected = model.forward_points(**batch)
        batch['points'][:, -1] = 7.0
        batch['visible'][:, -1] = False
        batch['reference_index'][:, -1] = 0
        assert torch.equal(model.forward_points(**batch), expected)


def test_supports_that_are_encoded_once_answer_images_as_an_episode_does(model):
    batch = random_batch(shots=2)
    state = model.encode(supports_of(batch))
    with torch.no_grad():
        expected = model.forward_points(**batch)
    for _ in range(2):  # as often as wanted
        found = model.find(state, batch['imgs'][:, -1:]).points[:, 0]
        torch.testing.assert_close(found, expected, atol=1e-5, rtol=0)


@pytest.mark.skipif(torch.__version__ < '2.1', reason='torch before 2.1')
@pytest.mark.parametrize('method', VARIANTS)
def test_bfloat16_and_channels_last_predict_nearly_the_same(method):
    model, batch = small_model(method), random_batch()
    batch['index'] = torch.arange(2)
    with torch.no_grad():
        expected = model(return_loss=False, **batch)['points']
        place(model, dict(precision='bfloat16', channels_last=True), 'cpu')
        points = model(return_loss=False, **batch)['points']
    assert (points - expected).abs().median() < 5e-3  # the largest of a heatmap may be another
    assert not torch.equal(points, expected)


@pytest.mark.parametrize('method', TRAINED)
def test_every_parameter_that_learns_gets_a_gradient_in_every_step(method):
    model = small_model(method).train()
    sum(model.loss(**random_batch()).values()).backward()
    without = [n for n, p in model.named_parameters() if p.requires_grad and p.grad is None]
    assert not without  # else several processes would wait for it


@pytest.mark.parametrize('method', TRAINED)
def test_an_episode_without_a_visible_keypoint_gives_finite_losses_and_gradients(method):
    model, batch = small_model(method).train(), random_batch()
    batch['visible'][0] = False
    losses = model.loss(**batch)
    sum(losses.values()).backward()
    assert all(loss.isfinite() for loss in losses.values())
    assert all(p.grad.isfinite().all() for p in model.parameters() if p.grad is not None)


@pytest.mark.skipif(torch.__version__ < '2.1', reason='torch before 2.1')
@pytest.mark.parametrize('method', TRAINED)
def test_a_step_in_bfloat16_has_nearly_the_same_loss_and_finite_gradients(method):
    model, batch = small_model(method).train(), random_batch()
    without_dropout(model)
    expected = sum(loss.sum() for loss in model(**batch).values())
    place(model, dict(precision='bfloat16', channels_last=True), 'cpu')
    loss = sum(loss.sum() for loss in model(**batch).values())
    loss.backward()
    assert loss.item() == pytest.approx(expected.item(), rel=0.1)
    assert all(p.grad.isfinite().all() for p in model.parameters() if p.requires_grad)


@pytest.mark.parametrize('method', ['CapeFormer', 'PoseAnything', 'POMNet'])
def test_padded_keypoints_mean_the_same_whatever_else_is_in_the_batch(method):
    model, batch = small_model(method), random_batch()
    batch['points'][:, :, 4:] = batch['points'][:, :, :1] * 0.5 + 0.2  # padded as mixup pads
    batch['visible'] = torch.ones_like(batch['visible'])
    with torch.no_grad():
        together = model.forward_points(**batch)[:1, ..., :4, :]
        alone = model.forward_points(**{n: v[:1] for n, v in batch.items()})[..., :4, :]
    torch.testing.assert_close(alone, together, atol=1e-5, rtol=0)
