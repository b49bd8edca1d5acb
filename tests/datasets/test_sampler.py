from fmmp.datasets.sampler import EpisodeSampler


def test_indices_count_on_through_the_epochs():
    sampler = EpisodeSampler(range(3))
    assert list(sampler) == [0, 1, 2]
    sampler.set_epoch(2)
    assert list(sampler) == [6, 7, 8]


def test_processes_share_an_epoch_in_equal_parts():
    shares = [EpisodeSampler(range(5), num_replicas=2, rank=rank) for rank in range(2)]
    assert [list(share) for share in shares] == [[0, 2, 4], [1, 3, 0]]
    assert [len(share) for share in shares] == [3, 3]


def test_a_share_that_wraps_around_stays_in_its_epoch():
    sampler = EpisodeSampler(range(5), num_replicas=2, rank=1)
    sampler.set_epoch(1)
    assert list(sampler) == [6, 8, 5]
