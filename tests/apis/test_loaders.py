"""What feeds a training: workers by cores, and batches that are ready."""

import os

import pytest
import torch

from fmmp.apis.loaders import loader_settings
from fmmp.apis.ready_batches import one_ahead, ready_batches


def test_the_next_batch_has_begun_its_way_before_one_is_used():
    events = []

    def load():
        for number in range(3):
            events.append(f'load {number}')
            yield number

    def begin(number):
        events.append(f'begin {number}')
        return number

    for number in one_ahead(load(), begin, lambda number: number):
        events.append(f'use {number}')
    order = 'load 0, begin 0, load 1, begin 1, use 0, load 2, begin 2, use 1, use 2'
    assert events == order.split(', ')
    assert [*one_ahead([], begin, None)] == []


def test_on_the_cpu_batches_come_as_they_are_and_none_is_loaded_ahead():
    loaded = []

    def load():
        for number in range(3):
            loaded.append(number)
            yield {'imgs': torch.zeros(1), 'index': torch.tensor([number])}

    batches = ready_batches(load(), torch.device('cpu'))
    first = next(batches)
    assert loaded == [0] and first['index'].item() == 0
    assert len([*batches]) == 2


@pytest.mark.skipif(not torch.cuda.is_available(), reason='there is no GPU')
def test_on_a_gpu_images_are_there_and_numbers_stay():
    device = torch.device('cuda', 0)
    batches = [{'imgs': torch.full((4,), n), 'index': torch.tensor([n])} for n in range(5)]
    for n, batch in enumerate(ready_batches(batches, device)):
        assert batch['imgs'].device == device and batch['index'].device.type == 'cpu'
        assert (batch['imgs'] == n).all()


@pytest.mark.parametrize(
    ('cores', 'processes', 'gpu', 'workers'),
    [
        (2, 1, False, 1),
        (64, 1, False, 1),
        (16, 1, True, 15),
        (64, 8, True, 7),
        (96, 1, True, 16),
        (4, 8, True, 1),
    ],
)
def test_workers_are_as_many_as_the_cores_feed(monkeypatch, cores, processes, gpu, workers):
    monkeypatch.setattr(os, 'sched_getaffinity', lambda _: set(range(cores)))
    monkeypatch.setenv('LOCAL_WORLD_SIZE', str(processes))
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: gpu)
    assert loader_settings({}, 'train')['workers_per_gpu'] == workers
    assert loader_settings({'workers_per_gpu': 3}, 'train')['workers_per_gpu'] == 3
    assert (
        loader_settings({'val_dataloader': {'workers_per_gpu': 0}}, 'val')['workers_per_gpu'] == 0
    )
