"""What layers do to the points: as the model does it, in numbers and in pictures."""

import cv2
import numpy as np
import pytest
import torch
from fmmp.models.episode import Episode
from fmmp.models.layers.samples import Step, mean_place
from torch.utils.data import default_collate

from fmmp.analysis.steps import format_steps, measure
from fmmp.apis import init_model
from fmmp.apis.data import build_dataset
from fmmp.apis.step_pictures import PANEL_SIZE, save_steps
from tests.methods import random_batch, small_model
from tests.tiny import tiny_config


def test_a_layer_starts_where_the_last_one_ended_and_its_window_moves_as_its_match_does():
    model, batch = small_model('FMMP, comparing'), random_batch(shots=2, queries=3)
    episode = Episode(**batch, num_queries=3)
    moved = []
    for match in model.keypoint_head.local_matches:
        match.register_forward_hook(lambda _, inputs, points: moved.append(points))
    steps = model.layer_steps(episode)
    assert len(steps) == 2 and steps[0].supports is None
    with torch.no_grad():
        predictions = model.predict(episode)
    for layer, step in enumerate(steps):
        torch.testing.assert_close(step.after, predictions[:, :, layer])
        torch.testing.assert_close(mean_place(step.window).flatten(0, 1), moved[layer])
        assert step.queries.shape[:3] == step.after.shape[:3]
    torch.testing.assert_close(steps[1].before, steps[0].after)
    assert steps[1].supports.shape[:4] == (2, 3, 2, 10)
    for samples in (steps[0].queries, steps[1].queries, steps[1].supports, steps[0].window):
        torch.testing.assert_close(samples[..., 2].sum(-1), torch.ones(samples.shape[:-2]))
    (alone,) = (model.layer_steps(episode, query=1)[i].after for i in (1,))
    torch.testing.assert_close(alone[:, 0], steps[1].after[:, 1], atol=1e-5, rtol=0)


def a_step():
    """A layer that moves the first of three keypoints to its place, and the others nowhere."""
    before = torch.full((1, 1, 3, 2), 0.5)
    after = before.clone()
    after[..., 0, 0] = 0.7
    samples = torch.tensor([[0.5, 0.7, 0.75], [0.5, 1.1, 0.25]]).expand(1, 1, 3, 2, 3)
    return Step(before, after, queries=samples, supports=samples[:, :, None])


def an_episode():
    """Its third keypoint is padded; the support shows the first, the query all."""
    points = torch.tensor([[0.7, 0.5], [0.1, 0.1], [0.9, 0.9]]).expand(1, 2, 3, 2)
    visible = torch.tensor([[[True, False, True], [True, True, True]]])
    return Episode(torch.zeros(1, 2, 3, 8, 8), points, visible, num_keypoints=torch.tensor([2]))


def test_lengths_are_in_sides_of_the_box_of_keypoints_that_both_show():
    start, layer = measure([a_step()], an_episode())
    assert {name: values.tolist() for name, values in start.items()} == {
        'error': pytest.approx([1.25 * 0.2]),
        'PCK@0.1': [0],
    }
    assert {name: values.tolist() for name, values in layer.items()} == {
        'moved': pytest.approx([0.25]),
        'error': [0],
        'PCK@0.1': [1],
        'nearer': [1],
        'query samples': pytest.approx([1.25 * (0.75 * 0.2 + 0.25 * 0.6)]),
        'outside': [0.25],
        'support samples': pytest.approx([1.25 * (0.75 * 0.08**0.5 + 0.25 * 0.4**0.5)]),
    }


def test_the_table_has_a_row_a_layer_of_means_over_all_batches():
    first = [{'error': torch.tensor([0.2, 0.4])}, {'error': torch.tensor([0.1, 0.1])}]
    second = [{'error': torch.tensor([0.6])}, {'error': torch.tensor([0.4])}]
    lines = format_steps([first, second], 'csv').splitlines()
    assert [line.split(',')[0] for line in lines] == ['', 'start', 'layer 1']
    column = lines[0].split(',').index('error')
    assert [line.split(',')[column] for line in lines[1:]] == ['0.400', '0.200']


def test_a_picture_has_a_panel_a_layer_of_query_and_support(small_dataset, tmp_path):
    config = tiny_config(small_dataset)
    dataset = build_dataset(config, 'test')
    torch.manual_seed(0)
    model = init_model(config)
    pair = len(dataset.pairs) - 1
    episode, query = divmod(pair, dataset.num_queries)
    steps = model.layer_steps(Episode.of(default_collate([dataset[episode]])), query)
    pictures = []
    for number in (1, 2):
        save_steps(dataset, pair, steps, number, tmp_path / 'pair.png')
        pictures.append(cv2.imread(str(tmp_path / 'pair.png')))
    assert pictures[0].shape == pictures[1].shape
    assert 2 * PANEL_SIZE < min(pictures[0].shape[:2]) < 3 * PANEL_SIZE
    assert not np.array_equal(*pictures)
