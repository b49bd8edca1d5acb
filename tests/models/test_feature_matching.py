"""Matching of features: its equations, and the detector over them."""

import math

import pytest
import torch
from fmmp.models.episode import Episode
from fmmp.models.layers.matching import (
    Matcher,
    describe,
    descriptors_at,
    match,
    turned_and_mirrored,
)
from mmcv import Config
from mmpose.models import build_posenet

from fmmp.apis.model import build_model
from fmmp.errors import InputError

K = 7


def tensors(seed=0):
    generator = torch.Generator().manual_seed(seed)
    similarity = torch.rand(2, K, 6, 9, generator=generator) * 2 - 1
    candidates = torch.rand(2, 4, K, 2, generator=generator)
    visible = torch.rand(2, K, generator=generator) < 0.7
    return similarity, candidates, visible


def plainly(similarity, candidates, visible, temperature, prior, cost):
    """One pair, candidate by candidate, every logit written out."""
    height, width = similarity.shape[-2:]
    cells = torch.tensor(
        [[(x + 0.5) / width, (y + 0.5) / height] for y in range(height) for x in range(width)]
    )
    found = []
    for number, places in enumerate(candidates):
        distance = ((places[:, None] - cells) ** 2).sum(-1)
        logits = temperature * (similarity.flatten(1) - prior * distance)
        evidence = logits.logsumexp(-1)[visible].sum() - (cost if number else 0)
        found.append((evidence.item(), logits.softmax(-1) @ cells))
    return max(found, key=lambda one: one[0])[1]


@pytest.mark.parametrize('temperature', [5.0, 40.0])
def test_the_factored_sums_are_those_of_every_logit(temperature):
    similarity, candidates, visible = tensors()
    points = match(similarity, candidates, visible, temperature, 3.0, 2.0).points
    for one in range(2):
        expected = plainly(
            similarity[one], candidates[one], visible[one], temperature, prior=3.0, cost=2.0
        )
        torch.testing.assert_close(points[one], expected, atol=1e-5, rtol=0)


def test_looks_far_from_the_prior_are_answered_between_them_at_any_temperature():
    similarity = torch.zeros(1, 1, 16, 16)
    similarity[..., -1, -1] = 0.95
    place = torch.tensor([[[[0.1, 0.1]]]])
    for temperature in (40.0, 100.0, 200.0):
        expected = plainly(similarity[0], place[0], torch.ones(1, dtype=bool), temperature, 3.0, 0)
        found = match(similarity, place, torch.ones(1, 1, dtype=bool), temperature).points[0]
        torch.testing.assert_close(found, expected, atol=1e-5, rtol=0)


def test_a_prior_far_outside_the_image_gives_finite_points_and_gradients():
    similarity, candidates, visible = tensors()
    temperature = torch.tensor(40.0, requires_grad=True)
    points = match(similarity, candidates + 3, visible, temperature, 3.0).points
    points.sum().backward()
    assert points.isfinite().all() and temperature.grad.isfinite()


@pytest.mark.parametrize('shift', [(2, 0), (0, 3), (9, -9)])
def test_a_prior_far_outside_the_image_is_as_good_as_any(shift):
    similarity, candidates, visible = (value[:1] for value in tensors())
    candidates = candidates + torch.tensor(shift)
    prior = torch.tensor(3.0, requires_grad=True)
    points = match(similarity, candidates, visible, 40.0, prior, 2.0).points
    expected = plainly(similarity[0], candidates[0], visible[0], 40.0, prior=3.0, cost=2.0)
    torch.testing.assert_close(points[0].detach(), expected, atol=1e-5, rtol=0)
    (1e3 * points).sum().backward()
    assert prior.grad.isfinite()


def test_a_costly_candidate_must_bring_more_evidence():
    similarity = torch.zeros(1, 1, 8, 8)
    similarity[..., 6, 6] = 1  # the look-alike lies at the second candidate's place
    candidates = torch.tensor([[[[0.2, 0.2]], [[0.8, 0.8]]]])
    visible = torch.ones(1, 1, dtype=torch.bool)
    for cost, chosen in ((2.0, 1), (100.0, 0)):
        places = match(similarity, candidates, visible, cost=cost).places
        assert torch.equal(places, candidates[:, chosen])


def test_candidates_are_the_points_then_turned_ones_each_followed_by_its_mirror_image():
    points = torch.tensor([[[0.2, 0.4], [0.6, 0.4], [0.9, 0.9]]])
    visible = torch.tensor([[True, True, False]])
    found = turned_and_mirrored(points, visible, turns=4, mirrored=True)[0]
    assert found.shape == (8, 3, 2)
    assert torch.equal(found[0], points[0])
    torch.testing.assert_close(found[1], points[0] * torch.tensor([-1, 1]) + torch.tensor([1, 0]))
    # A quarter turn about the visible ones' mean (0.4, 0.4), which goes to the centre.
    torch.testing.assert_close(found[2], torch.tensor([[0.5, 0.3], [0.5, 0.7], [0.0, 1.0]]))


def test_descriptors_have_unit_length_and_that_at_a_cells_middle_is_the_cells():
    maps = [torch.rand(2, 5, 8, 8) + 0.1, torch.rand(2, 3, 4, 4) + 0.1]
    described = describe(maps)
    assert described.shape == (2, 8, 8, 8)
    torch.testing.assert_close(described.norm(dim=1), torch.ones(2, 8, 8))
    point = torch.tensor([[[2.5 / 8, 5.5 / 8]]]).expand(2, -1, -1)
    torch.testing.assert_close(descriptors_at(point, described)[:, 0], described[:, :, 5, 2])


def test_a_keypoint_that_one_of_two_supports_shows_is_described_by_that_one():
    described = describe([torch.rand(2, 6, 8, 8)])[None]  # an episode of two supports
    points = torch.rand(1, 2, K, 2)
    visible = torch.ones(1, 2, K, dtype=torch.bool)
    visible[0, 1, 3] = False
    query = described[:, :1]  # the first itself, which takes its own places
    both, first = (
        matcher.compare(
            matcher.encode_supports(described[:, :n], points[:, :n], visible[:, :n]), query
        )
        for matcher, n in ((Matcher(), 2), (Matcher(), 1))
    )
    torch.testing.assert_close(both.similarity[:, :, 3], first.similarity[:, :, 3])
    torch.testing.assert_close(both.candidates[:, :, 0, 3], first.candidates[:, :, 0, 3])
    assert not torch.allclose(both.similarity[:, :, 2], first.similarity[:, :, 2])


def test_a_support_that_is_like_the_query_counts_more():
    torch.manual_seed(0)
    like, other = torch.rand(2, 1, 64, 8, 8)
    described = describe([torch.stack([like, other], dim=1)])
    points = torch.rand(1, 2, K, 2) * 0.8 + 0.1
    visible = torch.ones(1, 2, K, dtype=torch.bool)
    matcher = Matcher(temperature=100.0)
    supports = matcher.encode_supports(described, points, visible)
    for number, image in enumerate((like, other)):
        found = matcher(matcher.compare(supports, describe([image[:, None]])))[0, 0]
        own, mean = points[0, number], points[0].mean(0)
        assert (found - own).norm(dim=-1).mean() < 0.5 * (mean - own).norm(dim=-1).mean()


def test_a_support_that_is_turned_is_turned_back_before_places_are_averaged():
    torch.manual_seed(0)
    image = torch.rand(1, 64, 8, 8)
    described = describe([torch.stack([image, image.flip(-1, -2)], dim=1)])
    points = torch.rand(1, K, 2) * 0.8
    points += 0.5 - points.mean(1, keepdim=True)
    supports = torch.stack([points, 1 - points], dim=1), torch.ones(1, 2, K, dtype=torch.bool)
    matcher = Matcher(temperature=100.0)
    matched = matcher.compare(matcher.encode_supports(described, *supports), described[:, :1])
    torch.testing.assert_close(matched.candidates[:, 0, 0], points)


def test_shares_are_those_whose_weighted_mean_is_the_answer():
    torch.manual_seed(0)
    described = describe([torch.rand(1, 3, 16, 8, 6)])
    points, visible = torch.rand(1, 2, K, 2), torch.rand(1, 2, K) < 0.7
    matcher = Matcher()
    supports = matcher.encode_supports(described[:, :2], points, visible)
    matched = matcher.compare(supports, described[:, 2:])
    shares = matcher.shares(matched)
    x, y = ((torch.arange(n) + 0.5) / n for n in (6, 8))
    mean = torch.stack([(shares.sum(-2) * x).sum(-1), (shares.sum(-1) * y).sum(-1)], dim=-1)
    torch.testing.assert_close(mean, matcher(matched), atol=1e-5, rtol=0)


def build(**settings):
    torch.manual_seed(0)
    backbone = dict(type='ResNet', depth=18, base_channels=8, out_indices=(1, 2, 3))
    return build_posenet(dict(type='FeatureMatching', backbone=backbone, **settings)).eval()


def episode(queries=3, shift=0):
    generator = torch.Generator().manual_seed(1)
    support = torch.randn(1, 3, 64, 64, generator=generator)
    images = torch.cat([support, *(support.roll(shift * n, -1) for n in range(queries))])
    points = torch.rand(1, 1 + queries, K, 2, generator=generator) * 0.4 + 0.3
    visible = torch.ones(1, 1 + queries, K, dtype=torch.bool)
    return Episode(images[None], points, visible, num_queries=queries)


@pytest.mark.parametrize('remove_position_bias', [False, True])
def test_the_support_itself_is_matched_with_its_own_keypoints(remove_position_bias):
    model = build(remove_position_bias=remove_position_bias, matcher=dict(temperature=200.0))
    batch = episode()
    found = model.predict(batch)
    assert found.shape == (1, 3, 1, K, 2)
    error = (found[0, 0, 0] - batch.points[0, 0]).abs().max()
    assert error < 1 / 8  # a cell of the finest level's eight


@pytest.mark.parametrize('levels', [[2, 1, 0], [0, 3], [1, 1]])
def test_levels_that_are_not_there_or_not_fine_to_coarse_are_refused(levels):
    with pytest.raises(InputError, match=r'levels is .*choose of \[0, 1, 2\], ascending'):
        build(levels=levels)


def test_a_backbone_that_gives_a_single_map_is_matched_by_it():
    backbone = dict(type='ResNet', depth=18, base_channels=8)
    model = build_posenet(dict(type='FeatureMatching', backbone=backbone)).eval()
    assert model.predict(episode()).shape == (1, 3, 1, K, 2)


@pytest.mark.parametrize('method', ['FeatureMatching', 'LearnedMatching', 'CapeFormer', 'POMNet'])
def test_a_neck_that_the_method_would_not_use_is_refused(method):
    backbone = dict(type='ResNet', depth=18, base_channels=8, out_indices=(1, 2, 3))
    head = {} if 'Matching' in method else {'keypoint_head': {}}
    neck = dict(type='FeaturePyramid', out_channels=8)
    with pytest.raises(InputError, match=f'model.neck: {method} has none: leave it out'):
        build_posenet(dict(type=method, backbone=backbone, neck=neck, **head))


def test_weights_that_a_test_would_not_load_are_refused():
    model = dict(type='FeatureMatching', backbone=dict(type='ResNet', depth=18))
    config = Config(dict(model=dict(**model, pretrained='torchvision://resnet18')))
    with pytest.raises(InputError, match='model.pretrained: FeatureMatching is tested without'):
        build_model(config, pretrained=False)


def test_a_method_without_weights_to_train_says_so():
    model = build()
    assert not model.trainable and not any(p.requires_grad for p in model.parameters())
    with pytest.raises(InputError, match='no weights to train'):
        model.loss(**{k: getattr(episode(1), k) for k in ('imgs', 'points', 'visible')})


def test_learned_temperature_and_prior_start_where_they_are_told():
    matcher = Matcher(temperature=20.0, prior=3.0, learned=True)
    values = {name: math.exp(value.item()) for name, value in matcher.named_parameters()}
    assert values == pytest.approx({'log_temperature': 20.0, 'log_prior': 3.0}, rel=1e-5)
    assert not [*Matcher().parameters()]
