import pytest
import torch
from fmmp.models.episode import Episode
from fmmp.models.layers.fgsa import ATTENTIONS
from mmpose.models import build_posenet
from safetensors.torch import save_file

from fmmp.apis.model import place
from fmmp.errors import InputError

K = 10


def settings(**head):
    return dict(
        type='FMMP',
        backbone=dict(type='ResNet', depth=18, out_indices=(1, 2, 3)),
        neck=dict(type='FeaturePyramid', out_channels=32),
        keypoint_head=dict(
            type='RecurrentMiningHead',
            **{'num_branches': 4, 'num_heads': 4, 'num_layers': 2, **head},
        ),
    )


def build(**head):
    """A model whose every parameter matters: fresh ones do not move from the centre."""
    torch.manual_seed(0)
    model = build_posenet(settings(**head))
    for parameter in model.keypoint_head.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    return model.eval()


def episodes(batch=2, shots=1, queries=1, seed=0):
    generator = torch.Generator().manual_seed(seed)
    images = shots + queries
    return dict(
        imgs=torch.randn(batch, images, 3, 64, 64, generator=generator),
        points=torch.rand(batch, images, K, 2, generator=generator),
        visible=torch.rand(batch, images, K, generator=generator) < 0.8,
        reference_index=torch.randint(K, (batch, images, K, 16), generator=generator),
    )


def test_a_fresh_model_predicts_the_centre_in_every_layer():
    model = build_posenet(settings()).eval()
    predictions = model.forward_points(**episodes())
    assert predictions.shape == (2, 2, K, 2)
    torch.testing.assert_close(predictions, torch.full_like(predictions, 0.5))


@pytest.mark.parametrize('initial_points', ['matching', 'raw_matching'])
def test_matched_starts_are_where_features_match_and_their_parameters_learn(initial_points):
    model = build_posenet(settings(initial_points=initial_points))  # fresh layers do not move
    batch = episodes()
    losses = model.loss(**batch, num_keypoints=torch.tensor([4, 10]))
    sum(losses.values()).backward()
    assert all(p.grad.abs() > 0 for p in model.keypoint_head.matcher.parameters())
    batch['imgs'][:, 1] = batch['imgs'][:, 0]  # the query is the support
    with torch.no_grad():
        model.keypoint_head.matcher.log_temperature.fill_(8)
        found = model.eval().forward_points(**batch)[:, -1]
    visible = batch['visible'][:, 0]
    inside = ((batch['points'][:, 0] - 0.5).abs() < 0.4).all(-1)
    error = (found - batch['points'][:, 0]).abs().amax(-1)
    assert error[visible & inside].median() < 1 / 16  # half a cell of the finest level's eight


def projection(tmp_path, matrix):
    file = tmp_path / 'projection.safetensors'
    save_file({'projection': matrix}, file)
    return str(file)


def test_raw_matches_go_by_a_learned_projection_which_checkpoints_hold(tmp_path):
    torch.manual_seed(1)
    file = projection(tmp_path, 0.1 * torch.randn(896, 896))
    config = settings(initial_points='raw_matching')  # fresh layers do not move
    projected = build_posenet(dict(config, projection=file)).eval()
    matching = dict(type='FeatureMatching', backbone=config['backbone'], projection=file)
    matching = build_posenet(matching).eval()
    matching.backbone.load_state_dict(projected.backbone.state_dict())
    batch = episodes()
    found = projected.forward_points(**batch)[:, -1]
    torch.testing.assert_close(found, matching.forward_points(**batch)[:, 0], atol=1e-4, rtol=0)
    with torch.no_grad():
        projected.projection.zero_()
    assert not torch.allclose(projected.forward_points(**batch)[:, -1], found, atol=1e-3)
    assert 'projection' in projected.state_dict()
    assert 'projection' not in dict(projected.named_parameters())


def test_a_projection_without_raw_matches_is_refused(tmp_path):
    file = projection(tmp_path, torch.zeros(896, 896))
    with pytest.raises(InputError, match=r"initial_points='raw_matching'"):
        build_posenet(dict(settings(), projection=file))


@pytest.mark.parametrize(
    ('radii', 'message'), [((0.3,), '1 radii, and the head 2 layers'), ((0.3, 0.0), 'above 0')]
)
def test_local_matches_without_a_radius_a_layer_are_refused(radii, message):
    with pytest.raises(InputError, match=message):
        build(local_match=radii)


@pytest.mark.parametrize(
    ('head', 'message'),
    [
        (dict(own_weights=True), 'set local_match, too'),
        (
            dict(compare_samples=True, attention='deaf'),
            "'deaf' has no such option.*compare_samples",
        ),
    ],
)
def test_options_without_what_they_act_on_are_refused(head, message, monkeypatch):
    monkeypatch.setitem(ATTENTIONS, 'deaf', torch.nn.Identity)
    with pytest.raises(InputError, match=message):
        build(**head)


@pytest.mark.parametrize('detach_points', [True, False])
def test_a_later_layers_loss_reaches_the_points_of_the_one_before_where_it_may(detach_points):
    model, batch = build(detach_points=detach_points), episodes()
    model.forward_points(**batch)[:, -1].sum().backward()
    first = model.keypoint_head.point_mlps[0][0].weight.grad
    assert (first is not None and bool(first.any())) != detach_points


def test_fgsa_starts_with_uniform_attention_on_a_ring_around_each_reference():
    fgsa = build_posenet(settings()).keypoint_head.query_miners[0].fgsa
    assert not fgsa.sampling_offsets.weight.any() and not fgsa.attention_weights.weight.any()
    branches, heads, levels, points = 4, 4, 3, 4
    offsets = fgsa.sampling_offsets.bias.view(branches, heads, levels, points, 2)
    directions = torch.tensor([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0], [0.0, -1.0]])
    expected = directions[:, None, None] * torch.arange(1, points + 1)[:, None]
    torch.testing.assert_close(offsets, expected.expand_as(offsets), atol=1e-6, rtol=0)
    limit = (6 / (32 + 32)) ** 0.5  # Xavier's, of each branch's own D x D matrix
    for weight in (*fgsa.value_proj.weight.chunk(branches), *fgsa.output_weight):
        assert 0.9 * limit < weight.abs().max() <= limit


def test_near_samples_start_on_rings_as_wide_as_the_finest_levels():
    far, near = (
        build_posenet(settings(near_samples=near)).keypoint_head.query_miners[0].fgsa
        for near in (False, True)
    )
    levels = [(2, 2), (4, 4), (8, 8)]
    offsets = []
    for fgsa in (far, near):
        points, index = torch.full((1, K, 2), 0.5), torch.zeros(1, K, 4, dtype=torch.long)
        references = fgsa.reference_points(points, index)
        offsets.append(fgsa.samples(torch.zeros(1, K, 32), references, levels)[0] - 0.5)
    finest = offsets[0][..., -1:, :, :]
    torch.testing.assert_close(offsets[1], finest.expand_as(offsets[1]))
    assert offsets[0][..., 0, :, :].abs().max() == 2 and finest.abs().max() == 0.5


def test_too_few_references_name_the_setting_to_raise():
    model, batch = build(), episodes()
    batch['reference_index'] = batch['reference_index'][..., :1]
    with pytest.raises(ValueError, match='num_references'):
        model.forward_points(**batch)


@pytest.mark.parametrize(
    ('query_batch_size', 'initial_points'), [(2, 'raw_matching'), (5, 'matching')]
)
def test_queries_that_share_supports_are_predicted_as_pair_by_pair(
    query_batch_size, initial_points
):
    model = build(initial_points=initial_points)
    batch = episodes(batch=2, shots=2, queries=5)
    model.test_cfg = dict(query_batch_size=query_batch_size)
    together = model.predict_episodes(**batch, num_queries=5)
    for query in range(5):
        images = [0, 1, 2 + query]
        pair = model.forward_points(**{name: value[:, images] for name, value in batch.items()})
        torch.testing.assert_close(together[:, query], pair[:, -1], atol=1e-5, rtol=0)


def test_no_more_queries_are_decoded_at_once_than_the_config_says(monkeypatch):
    model, batch = build(), episodes(queries=5)
    model.test_cfg, decode, sizes = dict(query_batch_size=2), model.decode, []

    def noting(state, features):
        sizes.append(features[0].shape[1])
        return decode(state, features)

    monkeypatch.setattr(model, 'decode', noting)
    model.predict_episodes(**batch, num_queries=5)
    assert sizes == [2, 2, 1]


def test_losses_count_the_querys_visible_keypoints_real_and_padded_apart():
    head = build(mix_loss_weight=0.5).keypoint_head
    predictions = torch.zeros(1, 2, 4, 2)
    points = torch.tensor([[[0.1, 0.2], [9.0, 9.0], [0.5, 0.5], [0.2, 0.0]]])
    visible = torch.tensor([[True, False, True, True]])
    losses = head.layer_losses(predictions, points, visible, torch.tensor([2]))
    assert losses['real'].tolist() == pytest.approx([0.3, 0.3])
    assert losses['mix'].tolist() == pytest.approx([0.5 * (1.0 + 0.2) / 2] * 2)


def test_a_bounded_loss_is_the_distance_near_the_truth_and_the_bound_far_away():
    head = build(loss_bound=0.1).keypoint_head
    points = torch.tensor([[[0.5 + 1e-5, 0.5], [3.0, 3.0]]])
    predictions = torch.full((1, 1, 2, 2), 0.5, requires_grad=True)
    shown = torch.ones(1, 2, dtype=torch.bool)
    losses = head.layer_losses(predictions, points, shown, torch.tensor([1]))
    assert losses['real'].item() == pytest.approx(1e-5, rel=1e-2)
    assert losses['mix'].item() == pytest.approx(0.5 * 0.1)
    losses['mix'].sum().backward()
    assert predictions.grad.abs().max() < 1e-6  # what is out of reach does not pull


@pytest.mark.parametrize(
    'head',
    [
        dict(structure='self'),
        dict(structure='full'),
        dict(structure='off'),
        dict(attention='heads'),
        dict(mine_support=False),
        dict(initial_points='matching'),
        dict(initial_points='raw_matching'),
        dict(local_match=(0.3, 0.1)),
        dict(compare_samples=True),
        dict(compare_samples=True, attention='heads'),
    ],
    ids=lambda head: '-'.join(map(str, sum(head.items(), ()))),
)
def test_an_ablation_predicts_otherwise(head):
    batch = episodes()
    predictions = build(**head).forward_points(**batch)
    assert torch.isfinite(predictions).all()
    assert not torch.allclose(predictions, build().forward_points(**batch), atol=1e-4)


@pytest.mark.parametrize(
    ('structure', 'matters'), [('given', True), ('self', False), ('full', False)]
)
def test_only_given_structure_looks_at_the_episodes_references(structure, matters):
    model, batch = build(structure=structure), episodes()
    before = model.forward_points(**batch)
    batch['reference_index'] = batch['reference_index'].flip(2)
    assert torch.equal(before, model.forward_points(**batch)) != matters


def test_heads_with_one_reference_are_ordinary_deformable_attention():
    batch = episodes()
    batch['reference_index'] = torch.arange(K)[:, None].expand_as(batch['reference_index'])
    heads = build(attention='heads').forward_points(**batch)
    torch.testing.assert_close(heads, build(structure='off').forward_points(**batch))


@pytest.mark.parametrize('option', [dict(attention='figure'), dict(structure='tree')])
def test_an_unknown_choice_is_refused_with_the_known_ones(option):
    with pytest.raises(ValueError, match='choose from'):
        build(**option)


@pytest.mark.skipif(torch.__version__ < '2.4', reason='torch before 2.4')
def test_the_head_compiles_as_one_graph():
    model, batch = build(), episodes()
    episode = Episode(**batch)
    supports, queries = model.extract_features(episode)

    def head(supports, queries, annotated):
        return model.decode(model.encode_supports(supports, annotated), queries)

    compiled = torch.compile(head, backend='aot_eager', fullgraph=True)
    arguments = supports, queries, episode.supports
    torch.testing.assert_close(compiled(*arguments), head(*arguments))


def test_an_unknown_precision_is_refused_with_the_known_ones():
    with pytest.raises(ValueError, match='float32, bfloat16'):
        place(build(), dict(precision='half'), 'cpu')


def test_swin_gives_the_neck_the_same_levels_as_resnet():
    model_settings = settings()
    model_settings['backbone'] = dict(
        type='SwinTransformer', depths=(1, 1, 1, 1), num_heads=(3, 6, 12, 24), out_indices=(1, 2, 3)
    )
    model = build_posenet(model_settings).eval()
    batch = episodes()
    supports, _ = model.extract_features(Episode(**batch))
    assert [level.shape[-2:] for level in supports] == [(2, 2), (4, 4), (8, 8)]
    assert model.forward_points(**batch).shape == (2, 2, K, 2)
