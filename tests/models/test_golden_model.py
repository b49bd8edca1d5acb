"""The whole model gives the numbers of the authors' implementation."""

import copy

import pytest
import torch
from mmcv import Config

from fmmp.apis.model import place_for_testing
from tests.golden import (
    GRADIENTS,
    POINTS,
    gradients_difference,
    points_difference,
    released_model,
)
from tests.tiny import CONFIG


@pytest.fixture(scope='module')
def released():
    return released_model()


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


@pytest.mark.parametrize('shots', [1, 3])
def test_every_layer_predicts_the_recorded_points(model, shots):
    assert points_difference(model, shots) <= POINTS


def test_the_model_as_it_is_tested_predicts_them_without_batch_norms_in_its_backbone(model):
    model = place_for_testing(model, Config.fromfile(str(CONFIG)), 'cpu')
    assert not any(isinstance(m, torch.nn.BatchNorm2d) for m in model.backbone.modules())
    assert points_difference(model, shots=1) <= POINTS


@pytest.mark.parametrize('shots', [1, 3])
def test_losses_and_gradients_are_the_recorded_ones(model, two_threads, shots):
    assert gradients_difference(model, shots) < GRADIENTS
