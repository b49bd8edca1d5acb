"""The optimiser's step on the CPU."""

import copy

import pytest
import torch
from mmcv import Config
from torch import nn

from fmmp.apis.optimizer import build_optimizer


@pytest.fixture
def model():
    torch.manual_seed(0)
    layers = nn.Conv2d(3, 37, 3), nn.ReLU(), nn.Conv2d(37, 5, 1)
    return nn.Sequential(*layers).to(memory_format=torch.channels_last)


def optimizer_of(model, **settings):
    return build_optimizer(model, Config({'optimizer': dict(type='Adam', lr=0.01, **settings)}), 1)


def take_steps(model, optimizer, seed, steps=3):
    generator = torch.Generator().manual_seed(seed)
    for _ in range(steps):
        optimizer.zero_grad()
        model(torch.randn(2, 3, 8, 8, generator=generator)).square().mean().backward()
        optimizer.step()


def assert_same_weights(one, other):
    for expected, found in zip(one.parameters(), other.parameters(), strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-6)


def test_fused_steps_are_those_of_one_parameter_after_the_other(model):
    other = copy.deepcopy(model)
    fused = optimizer_of(model)
    assert fused.defaults['fused']
    take_steps(model, fused, seed=1)
    take_steps(other, optimizer_of(other, fused=False), seed=1)
    assert_same_weights(other, model)


@pytest.mark.parametrize('fused', [True, False])
def test_a_state_of_another_memory_format_and_way_goes_on_as_it_would_have(model, fused):
    other = copy.deepcopy(model).to(memory_format=torch.contiguous_format)
    optimizer = optimizer_of(other, fused=not fused)
    take_steps(other, optimizer, seed=1)
    model.load_state_dict(other.state_dict())
    resumed = optimizer_of(model, fused=fused)
    resumed.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    assert resumed.param_groups[0]['fused'] == fused
    take_steps(other, optimizer, seed=2)
    take_steps(model, resumed, seed=2)
    assert_same_weights(other, model)
