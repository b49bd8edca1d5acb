import pytest
import torch
from fmmp.datasets.sampler import EpisodeSampler

from fmmp.apis.data import build_dataset
from fmmp.apis.loaders import build_loader
from tests.tiny import tiny_config


def test_indices_count_on_through_the_epochs():
    sampler = EpisodeSampler(range(3))
    assert list(sampler) == [0, 1, 2]
    sampler.set_epoch(2)
    assert list(sampler) == [6, 7, 8]


def test_processes_share_an_epoch_in_equal_parts():
    shares = [EpisodeSampler(range(5), num_replicas=2, rank=rank) for rank in range(2)]
    assert [list(share) for share in shares] == [[0, 2, 4], [1, 3, 0]]
    assert [len(share) for share in shares] == [3, 3]


@pytest.mark.parametrize('processes', [1, 2, 3, 4, 7])
def test_every_episode_is_in_a_share_however_many_processes_there_are(processes):
    shares = [EpisodeSampler(range(5), processes, rank) for rank in range(processes)]
    assert {index for share in shares for index in share} == set(range(5))
    assert len({len([*share]) for share in shares}) == 1


def test_a_share_that_wraps_around_stays_in_its_epoch():
    sampler = EpisodeSampler(range(5), num_replicas=2, rank=1)
    sampler.set_epoch(1)
    assert list(sampler) == [6, 8, 5]


def test_persistent_workers_of_several_processes_draw_the_epochs_of_one(small_dataset):
    dataset = build_dataset(tiny_config(small_dataset), 'train')
    loaders = [build_loader(dataset, 1, 1) for _ in range(2)]
    for rank, loader in enumerate(loaders):
        loader.sampler.num_replicas, loader.sampler.rank = 2, rank
    for epoch in (0, 1):
        found = {}
        for loader in loaders:
            loader.sampler.set_epoch(epoch)
            found.update({int(batch['index']): batch['imgs'][0] for batch in loader})
        assert sorted(found) == [epoch * 4 + sample for sample in range(4)]
        assert all(torch.equal(imgs, dataset[index]['imgs']) for index, imgs in found.items())
