"""A learned projection of the features that are matched."""

import runpy
from dataclasses import replace

import pytest
import torch
from fmmp.models.episode import Episode
from fmmp.models.layers.matching import expected_accuracy
from mmpose.models import build_posenet

import fmmp.apis  # noqa: F401 (registers the methods)
from fmmp.errors import CheckpointError, InputError
from tests.apis.forks import in_two_processes
from tests.tiny import ROOT

K = 5
RADII = (0.04, 0.08, 0.12, 0.16)


def build(method='LearnedMatching', **settings):
    torch.manual_seed(0)
    backbone = dict(type='ResNet', depth=18, base_channels=8, out_indices=(1, 2, 3))
    model = build_posenet(dict(type=method, backbone=backbone, **settings))
    return model.eval()


def episode(images=4, queries=1):
    generator = torch.Generator().manual_seed(1)
    points = torch.rand(2, images, K, 2, generator=generator) * 0.8 + 0.1
    visible = torch.ones(2, images, K, dtype=torch.bool)
    visible[..., -1] = False  # a padded one
    return Episode(
        torch.randn(2, images, 3, 64, 64, generator=generator),
        points,
        visible,
        num_keypoints=torch.tensor([K - 1, K - 1]),
        num_queries=queries,
    )


def saved(tmp_path, matrix, name='a.safetensors'):
    """The file that tools/projection.py writes of a checkpoint."""
    checkpoint, out = tmp_path / 'latest.pth', tmp_path / name
    torch.save({'state_dict': {'projection': matrix}}, checkpoint)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr('sys.argv', ['projection.py', str(checkpoint), str(out)])
        runpy.run_path(str(ROOT / 'tools/projection.py'))['main']()
    return out


def test_it_starts_from_matching_without_training():
    torch.testing.assert_close(
        build().predict(episode()), build('FeatureMatching').predict(episode())
    )


def test_what_was_learned_is_matched_with_by_its_file(tmp_path):
    learned = build()
    torch.nn.init.normal_(learned.projection, std=0.1)
    plain = build('FeatureMatching')
    matching = build('FeatureMatching', projection=saved(tmp_path, learned.projection.detach()))
    assert not matching.trainable and not [n for n in matching.state_dict() if 'projec' in n]
    found = matching.predict(episode())
    assert torch.equal(found, learned.predict(episode()))
    assert not torch.allclose(found, plain.predict(episode()), atol=1e-3)


@pytest.mark.parametrize(
    ('matrix', 'message'),
    [
        (torch.zeros(7, 7), 'holds .*7, 7.*want.*112, 112'),
        (torch.full((112, 112), torch.nan), 'not finite'),
        (None, 'damaged'),
    ],
)
def test_a_projection_that_does_not_fit_is_refused(tmp_path, matrix, message):
    file = tmp_path / 'x.safetensors'
    if matrix is None:
        file.write_bytes(b'<html>')
    else:
        file = saved(tmp_path, matrix)
    with pytest.raises(CheckpointError, match=message):
        build('FeatureMatching', projection=str(file))


def test_a_projection_that_is_not_there_is_named(tmp_path):
    with pytest.raises(CheckpointError, match=r'none\.safetensors: no such file'):
        build('FeatureMatching', projection=str(tmp_path / 'none.safetensors'))


def test_a_checkpoint_of_something_else_has_no_projection_to_write(tmp_path, monkeypatch):
    torch.save({'state_dict': {'weight': torch.zeros(1)}}, tmp_path / 'x.pth')
    arguments = [str(tmp_path / 'x.pth'), str(tmp_path / 'x.safetensors')]
    monkeypatch.setattr('sys.argv', ['projection.py', *arguments])
    with pytest.raises(CheckpointError, match='holds no projection'):
        runpy.run_path(str(ROOT / 'tools/projection.py'))['main']()
    assert not (tmp_path / 'x.safetensors').exists()


def test_training_learns_the_projection_alone_from_every_pair_of_images():
    model, batch = build(), episode()
    assert [n for n, p in model.named_parameters() if p.requires_grad] == ['projection']
    optimizer = torch.optim.Adam([model.projection], lr=1e-3)
    history = []
    for _ in range(8):
        losses = model.losses_by_kind(batch)
        history.append(sum(losses.values()).item())
        optimizer.zero_grad()
        sum(losses.values()).backward()
        optimizer.step()
    assert 0 < history[0] < 1.5 and history[-1] < history[0]


def test_a_backbone_learns_where_it_is_asked_to():
    model = build(learn_backbone=True, kept=['layer2', 'layer3.0']).train()
    before = {name: value.clone() for name, value in model.backbone.state_dict().items()}
    sum(model.losses_by_kind(episode()).values()).backward()
    torch.optim.SGD(model.parameters(), lr=1.0).step()
    after = model.backbone.state_dict()
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert {'conv1.weight', 'layer3.1.bn2.weight'} <= changed
    assert not [n for n in changed if 'running' in n or n.startswith(('layer2', 'layer3.0'))]


@pytest.mark.parametrize(
    ('settings', 'message'),
    [
        (
            dict(kept=['layer2', 'layer9'], learn_backbone=True),
            "the backbone has no module 'layer9'",
        ),
        (dict(kept='layer2', learn_backbone=True), 'give a list of names'),
        (dict(kept=['layer2']), 'and learn_backbone=True'),
    ],
)
def test_modules_that_cannot_stay_are_refused(settings, message):
    with pytest.raises(InputError, match=message):
        build(**settings)


def test_a_frozen_backbone_that_is_to_learn_is_refused():
    backbone = dict(type='TimmBackbone', model='tf_efficientnet_lite0', frozen=True)
    with pytest.raises(InputError, match='learn_backbone: a frozen one does not'):
        build_posenet(dict(type='LearnedMatching', backbone=backbone, learn_backbone=True))


def test_what_a_backbone_has_learned_is_kept_in_half_precision(tmp_path, monkeypatch):
    timm = dict(type='TimmBackbone', model='tf_efficientnet_lite0')
    torch.manual_seed(0)
    learned = build_posenet(dict(type='LearnedMatching', backbone=timm, learn_backbone=True))
    torch.nn.init.normal_(learned.projection, std=0.1)
    files = [str(tmp_path / name) for name in ('x.pth', 'a.safetensors', 'b.safetensors')]
    torch.save({'state_dict': learned.state_dict()}, files[0])
    monkeypatch.setattr('sys.argv', ['projection.py', *files[:2], '--backbone', files[2]])
    runpy.run_path(str(ROOT / 'tools/projection.py'))['main']()
    kept = dict(timm, weights=files[2], frozen=True)
    matching = build_posenet(dict(type='FeatureMatching', backbone=kept, projection=files[1]))
    imgs = torch.randn(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    (expected,), (found,) = (m.eval().image_features(imgs) for m in (learned, matching))
    torch.testing.assert_close(found, expected, atol=5e-3, rtol=0)


def test_a_checkpoint_without_a_backbone_has_none_to_write(tmp_path, monkeypatch):
    torch.save({'state_dict': {'projection': torch.zeros(2, 2)}}, tmp_path / 'x.pth')
    files = [str(tmp_path / name) for name in ('x.pth', 'a.safetensors', 'b.safetensors')]
    monkeypatch.setattr('sys.argv', ['projection.py', *files[:2], '--backbone', files[2]])
    with pytest.raises(CheckpointError, match='holds no backbone'):
        runpy.run_path(str(ROOT / 'tools/projection.py'))['main']()
    assert not (tmp_path / 'a.safetensors').exists()


def test_a_pair_counts_where_both_images_show_a_keypoint():
    model, batch = build(), episode(images=2)
    shown = batch.visible.clone()
    shown[:, 1, 1:] = False
    one = replace(batch, visible=shown)
    moved = batch.points.clone()
    moved[:, 1, 1:] = 0.9  # of those that the second image does not show
    other = replace(one, points=moved)
    first, second = (model.losses_by_kind(e)['looks'].item() for e in (one, other))
    assert first == pytest.approx(second, abs=1e-6)


def test_keypoints_that_pad_count_nowhere():
    batch = episode()
    padded = replace(batch, visible=torch.ones_like(batch.visible))
    more = replace(padded, num_keypoints=torch.tensor([K - 1, K]))
    model = build()
    plain, other = (model.losses_by_kind(one) for one in (batch, padded))
    assert {k: v.item() for k, v in plain.items()} == {k: v.item() for k, v in other.items()}
    moved = more.points.clone()
    moved[0, :, -1] = 0.5  # where the other category of the batch has a keypoint
    for kind, value in model.losses_by_kind(more).items():
        assert value.item() == model.losses_by_kind(replace(more, points=moved))[kind].item()


def test_it_learns_in_float32_whatever_the_precision():
    model = build()
    with torch.autocast('cpu', torch.bfloat16):
        losses = model.losses_by_kind(episode())
        sum(losses.values()).backward()
    assert {value.dtype for value in losses.values()} == {torch.float32}
    assert model.projection.grad.isfinite().all()


def test_training_leaves_the_backbones_running_means():
    model = build().train()
    before = {name: value.clone() for name, value in model.backbone.state_dict().items()}
    model.losses_by_kind(episode())
    after = model.backbone.state_dict()
    assert all(torch.equal(value, after[name]) for name, value in before.items())


@pytest.mark.parametrize(
    ('setting', 'message'),
    [
        (dict(radii=()), 'radii is .*above 0'),
        (dict(radii=0.1), 'radii is .*above 0'),
        (dict(looks_weight=-1), 'looks_weight is -1'),
        (dict(learn_backbone=True, remove_position_bias=True), 'remove_position_bias=False'),
    ],
)
def test_settings_that_mean_nothing_are_refused(setting, message):
    with pytest.raises(InputError, match=message):
        build(**setting)


def test_what_all_images_hide_costs_nothing():
    batch = episode()
    losses = build().losses_by_kind(replace(batch, visible=torch.zeros_like(batch.visible)))
    assert [value.item() for value in losses.values()] == [0, 0]


@pytest.mark.parametrize(('share', 'expected'), [(1.0, 1.0), (0.5, 0.5), (0.0, 0.0)])
def test_expected_accuracy_is_the_share_near_the_truth(share, expected):
    logits = torch.full((1, 32, 32), -1e4)
    logits[0, 10, 20] = torch.tensor(share).log().clamp(min=-1e4)  # at the truth
    logits[0, 30, 2] = torch.tensor(1 - share).log().clamp(min=-1e4)  # far away
    truth = torch.tensor([[20.5 / 32, 10.5 / 32]])
    assert expected_accuracy(logits, truth, RADII).item() == pytest.approx(expected, abs=1e-3)


def test_expected_accuracy_pays_nothing_for_an_answer_between_two_places():
    between = torch.full((1, 32, 32), -1e4)
    between[0, 15, 15] = 0
    truth = torch.tensor([[2.5 / 32, 15.5 / 32]])
    assert expected_accuracy(between, truth, RADII).item() == 0


def test_what_cannot_be_trained_is_still_refused():
    with pytest.raises(InputError, match='no weights to train'):
        batch = episode()
        build('FeatureMatching').losses(None, [], batch)


def test_two_processes_have_the_gradient_of_one_on_the_joined_batch(tmp_path):
    whole = episode()
    whole.visible[0, :, 1:] = False  # the first shows one keypoint, the second four

    def gradient(chosen):
        model = build().train()
        part = replace(
            whole,
            imgs=whole.imgs[chosen],
            points=whole.points[chosen],
            visible=whole.visible[chosen],
            num_keypoints=whole.num_keypoints[chosen],
        )
        sum(model.losses_by_kind(part).values()).backward()
        return model.projection.grad

    joined = gradient(slice(2))

    def main(rank):
        torch.distributed.init_process_group('gloo', rank=rank, world_size=2)
        own = gradient(slice(rank, rank + 1))
        torch.distributed.all_reduce(own)
        torch.testing.assert_close(own / 2, joined, atol=1e-6, rtol=1e-4)

    assert in_two_processes(main) == [0, 0]
