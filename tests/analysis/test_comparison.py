"""Paired comparison of results, and its intervals."""

import csv
import json
import subprocess
import sys

import numpy as np
import pytest

from fmmp.analysis.comparison import compare, format_comparison, read_results
from fmmp.errors import InputError
from tests.tiny import ROOT


def write(path, scores, **changes):
    """A results.json of the scores (categories, episodes, queries)."""
    categories, _, queries = np.shape(scores)
    flat = np.ravel(scores).tolist()
    content = {
        'copy_support_per_category': {f'c{c}': {'mPCK': 0.5} for c in range(categories)},
        'pairs': [[2 * (n // queries), n] for n in range(len(flat))],
        'num_queries': queries,
        'pair_scores': {'mPCK': flat, 'EPE': flat},
        **changes,
    }
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(content))
    return path


@pytest.fixture
def results(tmp_path):
    """Read results of scores (categories, episodes, queries), named by their order."""
    counter = iter(range(10))

    def make(scores, **changes):
        return read_results(write(tmp_path / f'run{next(counter)}/results.json', scores, **changes))

    return make


def random_scores(seed, categories=2, episodes=50, queries=3):
    return np.random.default_rng(seed).random((categories, episodes, queries))


def test_scores_are_means_over_pairs_and_differences_are_taken_from_the_first_file(results):
    base, other = random_scores(0), random_scores(1)
    *categories, overall = compare([results(base), results(other)], samples=10)
    assert [row.name for row in categories] == ['c0', 'c1']
    for number, row in enumerate(categories):
        assert row.scores == pytest.approx([base[number].mean(), other[number].mean()])
        assert row.differences == pytest.approx([other[number].mean() - base[number].mean()])
    assert overall.scores == pytest.approx([base.mean(), other.mean()])
    assert overall.differences == pytest.approx([other.mean() - base.mean()])


def test_a_difference_that_all_episodes_share_has_an_interval_of_no_width(results):
    base = random_scores(0)
    gain = np.array([0.1, -0.3])[:, None, None]  # a category each: the strata do not mix
    rows = compare([results(base), results(base + gain)])
    assert [row.differences[0] for row in rows] == pytest.approx([0.1, -0.3, -0.1])
    assert [row.intervals[0] for row in rows] == [
        pytest.approx((value, value)) for value in (0.1, -0.3, -0.1)
    ]


def test_the_interval_of_many_episodes_is_that_of_a_normal_mean(results):
    base, other = random_scores(0, 1, 400, 1), random_scores(1, 1, 400, 1)
    difference = (other - base).ravel()
    half = 1.96 * difference.std() / np.sqrt(400)
    low, high = compare([results(base), results(other)])[-1].intervals[0]
    assert (low, high) == pytest.approx(
        (difference.mean() - half, difference.mean() + half), abs=0.05 * half
    )


def test_queries_that_repeat_their_episode_make_the_interval_no_narrower(results):
    base, other = random_scores(0, queries=1), random_scores(1, queries=1)
    once = compare([results(base), results(other)])
    five = compare([results(base.repeat(5, -1)), results(other.repeat(5, -1))])
    assert once[-1].intervals[0] == pytest.approx(five[-1].intervals[0])


def test_a_seed_gives_the_same_intervals_and_all_files_share_the_draws(results):
    base, other = results(random_scores(0)), results(random_scores(1))
    alone = compare([base, other], seed=3)
    together = compare([base, other, other], seed=3)
    assert together[0].intervals == alone[0].intervals * 2
    assert compare([base, other], seed=4)[0].intervals != alone[0].intervals


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        (
            {'copy_support_per_category': {'c0': {'mPCK': 0.5}, 'x': {'mPCK': 0.5}}},
            'only .* has c1',
        ),
        ({'pairs': [[0, 9], *([0, n] for n in range(1, 8))]}, r'pair 0, of c0, is \[0, 0\] and'),
        ({'pairs': [[0, 1, n] for n in range(8)]}, '1 and 2 supports a pair'),
        ({'num_queries': 1}, '2 and 1 queries an episode'),
        (
            {'copy_support_per_category': {'c0': {'mPCK': 0.5}, 'c1': {'mPCK': 0.4}}},
            'annotations differ',
        ),
        ({'pair_scores': {'EPE': [0.0] * 8}}, "no metric 'mPCK': choose from EPE"),
    ],
)
def test_results_of_other_pairs_are_refused_with_the_difference(results, changes, message):
    scores = np.zeros((2, 2, 2))
    with pytest.raises(InputError, match=message):
        compare([results(scores), results(scores, **changes)])


def test_a_single_episode_a_category_gives_no_interval(results):
    with pytest.raises(InputError, match='raise num_episodes'):
        compare([results(np.zeros((2, 1, 2)))] * 2)


@pytest.mark.parametrize(
    ('content', 'message'),
    [(None, 'no such file'), ('[', 'no readable JSON'), ('{"pairs": []}', 'no scores by pair')],
)
def test_a_file_that_is_no_results_is_refused_by_name(tmp_path, content, message):
    path = tmp_path / 'results.json'
    if content is not None:
        path.write_text(content)
    with pytest.raises(InputError, match=rf'results\.json: .*{message}'):
        read_results(path)


def test_tables_show_per_cent_and_csv_has_the_ends_of_intervals_in_columns(results):
    base = random_scores(0)
    rows = compare([results(base), results(base + 0.1)])
    names = ['one_run', 'other']
    markdown = format_comparison(rows, names).splitlines()
    assert len({line.count('|') for line in markdown}) == 1
    assert markdown[-1].startswith('| all pairs') and '+10.00 [+10.00, +10.00]' in markdown[-1]
    latex = format_comparison(rows, names, style='latex')
    assert (
        r'one\_run' in latex and r'95\% interval' in latex and latex.count(r'\\') == len(rows) + 1
    )
    header, *_, last = csv.reader(format_comparison(rows, names, style='csv').splitlines())
    assert dict(zip(header, last, strict=True))['other low'] == '10.00'
    assert '+0.10' in format_comparison(rows, names, metric='EPE')


def test_the_second_floor_is_the_last_column_where_a_file_has_it(results):
    floor = {'c0': {'mPCK': 0.2, 'EPE': 9.0}, 'c1': {'mPCK': 0.4, 'EPE': 3.0}}
    both = [results(random_scores(0)), results(random_scores(1), matching_per_category=floor)]
    for style in ('csv', 'markdown'):
        table = format_comparison(compare(both, samples=10), ['a', 'b'], style=style)
        header, *_, overall = (line.strip('| ') for line in table.splitlines())
        assert header.endswith('matching features')
        assert overall.endswith((' 30.00', ',30.00'))
    assert compare(both, 'EPE', samples=10)[0].matching == 9.0
    assert compare(both[:1] * 2, samples=10)[0].matching is None


def test_the_script_prints_the_table_or_one_line_about_what_is_wrong(tmp_path):
    files = [write(tmp_path / name / 'results.json', random_scores(0)) for name in ('a', 'b')]
    script = [sys.executable, ROOT / 'tools/analysis/compare.py']

    def run(*options):
        return subprocess.run([*script, *options], capture_output=True, text=True)

    done = run(*files, '--format', 'csv', '--samples', '10')
    assert done.returncode == 0 and done.stdout.startswith('category,a,b,b difference'), done.stderr
    failed = run(files[0], tmp_path / 'none.json')
    assert failed.returncode == 1 and failed.stderr.startswith('error: ')
    assert len(failed.stderr.splitlines()) == 1
