"""Local matching: its equation, and what it does to points."""

import pytest
import torch
import torch.nn.functional as F
from fmmp.models.layers.local_match import LocalMatch

D, SIDE = 8, 16


def one_hot_cell(row, column):
    """Tokens (1, H, W, D) of which a single cell looks like the keypoint, and the keypoint."""
    feature, other = torch.eye(D)[:2]
    tokens = other.repeat(1, SIDE, SIDE, 1)
    tokens[0, row, column] = feature
    return tokens, feature.view(1, 1, D)


def test_a_point_moves_to_what_looks_like_the_support_and_no_further_than_the_radius():
    place = torch.tensor([9.5, 7.5]) / SIDE  # the middle of column 9 in row 7
    tokens, feature = one_hot_cell(row=7, column=9)
    match = LocalMatch(D, radius=0.2, cells=33, temperature=100.0)
    start = torch.tensor([[[0.5, 0.55]]])
    moved = match(feature, torch.zeros(1, 1, D), start, tokens)
    torch.testing.assert_close(moved[0, 0], place, atol=0.01, rtol=0)
    far = match(feature, torch.zeros(1, 1, D), start - 0.45, tokens)
    assert (far - (start - 0.45)).abs().max() <= 0.2


def test_where_everything_looks_alike_a_point_stays():
    match = LocalMatch(D, radius=0.3)
    tokens = torch.ones(2, SIDE, SIDE, D)
    points = torch.rand(2, 3, 2, generator=torch.Generator().manual_seed(0)) * 0.3 + 0.35
    moved = match(torch.ones(2, 3, D), torch.zeros(2, 3, D), points, tokens)
    torch.testing.assert_close(moved, points)


def test_the_similarity_of_the_start_joins_that_of_the_tokens():
    match = LocalMatch(D, radius=0.2, start=True, cells=33, temperature=100.0)
    tokens = torch.ones(1, SIDE, SIDE, D)  # of which nothing can be told
    similarity = torch.zeros(1, 1, SIDE, SIDE)
    similarity[..., 7, 9] = 1
    point = torch.tensor([[[0.5, 0.55]]])
    moved = match(torch.ones(1, 1, D), torch.zeros(1, 1, D), point, tokens, similarity)
    torch.testing.assert_close(moved[0, 0], torch.tensor([9.5, 7.5]) / SIDE, atol=0.01, rtol=0)


def test_a_keypoint_that_no_support_shows_has_gradients_of_a_size_like_others():
    torch.manual_seed(0)
    match = LocalMatch(D, radius=0.3)
    tokens, points = torch.randn(1, SIDE, SIDE, D), torch.full((1, 1, 2), 0.5)
    sizes = []
    for feature in (torch.zeros(1, 1, D), torch.randn(1, 1, D)):
        match.zero_grad()
        match(feature, torch.randn(1, 1, D), points, tokens).square().sum().backward()
        sizes.append(match.embed_key.weight.grad.norm())
    assert 0.1 < sizes[0] / sizes[1] < 10


@pytest.mark.parametrize('start', [True, False])
def test_the_move_is_the_windows_mean_with_every_logit_written_out(start):
    generator = torch.Generator().manual_seed(0)
    torch.manual_seed(0)
    match = LocalMatch(D, radius=0.25, start=start, cells=3, temperature=5.0, prior=0.7)
    for linear in (match.key, match.embed_key, match.token):
        torch.nn.init.normal_(linear.weight)
    feature, embed = (torch.randn(1, 1, D, generator=generator) for _ in range(2))
    tokens = torch.randn(1, 4, 4, D, generator=generator)
    similarity = torch.rand(1, 1, 4, 4, generator=generator) if start else None
    x, y = 1.5 / 4, 2.5 / 4  # a cell's middle; a radius is a cell, so the window's places are cells
    key = F.normalize(match.key(feature) + match.embed_key(embed), dim=-1)[0, 0]
    logits, moves = [], []
    for row in (-1, 0, 1):
        for column in (-1, 0, 1):
            token = F.normalize(match.token(tokens[0, 2 + row, 1 + column]), dim=0)
            logit = 5.0 * (key @ token) - 0.7 * (row**2 + column**2)
            if start:
                logit = logit + 5.0 * similarity[0, 0, 2 + row, 1 + column]
            logits.append(logit)
            moves.append(torch.tensor([column, row]) * 0.25)
    expected = torch.tensor([x, y]) + torch.stack(logits).softmax(0) @ torch.stack(moves)
    found = match(feature, embed, torch.tensor([[[x, y]]]), tokens, similarity)
    torch.testing.assert_close(found[0, 0], expected)
