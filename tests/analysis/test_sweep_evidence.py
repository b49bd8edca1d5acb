"""Scores of a sweep kept small, their intervals, and the pages made from them."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from fmmp.analysis.evidence import (
    KEPT,
    Evidence,
    collect,
    difference,
    estimate,
    join,
    read_evidence,
    write_evidence,
)
from fmmp.analysis.evidence_page import fill_page
from fmmp.errors import InputError
from fmmp.sweep import read_sweep
from tests.tiny import ROOT

CONFIG = ROOT / 'configs/benchmark/fmmp.py'


@pytest.fixture
def sweep(tmp_path):
    path = tmp_path / 'sweep.py'
    path.write_text(f'configs = {{"base": "{CONFIG}", "+ mine": "{CONFIG}"}}\nseeds = [0, 1]')
    return read_sweep(path, tmp_path)


def finish(run, scores, pairs=None):
    """A results.json of mPCK (categories, episodes, queries), which the other metrics share."""
    categories, _, queries = scores.shape
    names = [f'c{number}' for number in range(categories)]
    floor = {name: dict.fromkeys(KEPT, 0.25) for name in names}
    content = {
        'copy_support_per_category': floor,
        'matching_per_category': {name: dict.fromkeys(KEPT, 0.5) for name in names},
        'pairs': pairs or [[0, number] for number in range(scores.size)],
        'num_queries': queries,
        'pair_scores': dict.fromkeys(KEPT, scores.ravel().tolist()),
    }
    run.results.parent.mkdir(parents=True)
    run.results.write_text(json.dumps(content))


def evidence_of(**rows):
    """Evidence of rows' mPCK (seeds, categories, episodes)."""
    scores = {
        row: {str(seed): {'mPCK': one} for seed, one in enumerate(values)}
        for row, values in rows.items()
    }
    return Evidence('', ['a', 'b'], scores, {})


def random_scores(seed):
    return np.random.default_rng(seed).random((2, 5, 3))


def test_95_of_100_intervals_hold_the_mean_of_all_seeds_and_episodes():
    generator = np.random.default_rng(0)
    held = 0
    for _ in range(1000):
        seeds = generator.normal(0, 1, (3, 1, 1))
        episodes = generator.normal(0, 2, (1, 4, 20))
        value = estimate(50 + seeds + episodes)
        held += abs(value.mean - 50) <= value.half_width
    assert 0.93 < held / 1000 < 0.99


def test_the_interval_of_one_seed_is_that_of_the_mean_of_its_episodes():
    scores = 100 * np.random.default_rng(0).random((1, 1, 400))
    low, high = stats.t.interval(0.95, 399, scores.mean(), stats.sem(scores.ravel()))
    value = estimate(scores)
    assert (value.mean, value.half_width) == pytest.approx((scores.mean(), (high - low) / 2))


def test_a_difference_that_all_seeds_and_episodes_share_has_an_interval_of_no_width():
    scores = np.random.default_rng(0).random((3, 2, 5))
    value = difference(evidence_of(mine=scores + 4, base=scores), 'mine', 'base', 'mPCK')
    assert (value.mean, value.half_width) == pytest.approx((4, 0), abs=1e-9)


def test_a_difference_is_of_the_seeds_that_both_rows_have():
    scores = 10 * np.random.default_rng(0).random((3, 2, 5))
    evidence = evidence_of(mine=scores + 4, base=scores)
    del evidence.scores['base']['0'], evidence.scores['mine']['1']
    value = difference(evidence, 'mine', 'base', 'mPCK')
    assert value.mean == pytest.approx(4)
    del evidence.scores['base']['2']
    assert difference(evidence, 'mine', 'base', 'mPCK') is None


def test_what_is_finished_is_kept_by_episode_in_percent_and_read_again(sweep, tmp_path):
    for seed, run in enumerate(sweep.runs[:3]):  # the second seed of '+ mine' is not finished
        finish(run, random_scores(seed))
    write_evidence(collect(sweep), tmp_path / 'evidence.json')
    evidence = read_evidence(tmp_path / 'evidence.json')
    assert {row: [*seeds] for row, seeds in evidence.scores.items()} == {
        'base': ['0', '1'],
        '+ mine': ['0'],
    }
    expected = 100 * np.stack([random_scores(seed).mean(-1) for seed in (0, 2)])
    np.testing.assert_allclose(evidence.of('base', 'mPCK'), expected, atol=0.005)
    assert {name: floor['mPCK'].tolist() for name, floor in evidence.floors.items()} == {
        'copying the support': [25, 25],
        'matching features': [50, 50],
    }


def test_results_on_other_pairs_are_refused_by_name(sweep):
    first, other, *_ = sweep.runs
    finish(first, random_scores(0))
    finish(other, random_scores(1), pairs=[[1, number] for number in range(30)])
    with pytest.raises(InputError, match=f'{other.results}: its pairs are not'):
        collect(sweep)


def test_a_sweep_of_which_nothing_is_finished_is_refused(sweep):
    with pytest.raises(InputError, match=r'run tools/sweep\.py'):
        collect(sweep)


def test_a_pages_tables_are_made_anew_and_its_text_stays(sweep, tmp_path):
    for run in sweep.runs:
        finish(run, np.full((2, 5, 3), 0.5 + 0.1 * (run.row == '+ mine')))
    write_evidence(collect(sweep), tmp_path / 'evidence.json')
    page = tmp_path / 'results.md'
    rows = 'copying the support; base; + mine'
    page.write_text(
        f'# Results\n\n<!-- evidence: evidence.json | {rows} | against: above | figure: a.svg -->\n'
        'an old table\n<!-- end -->\n\nThe end.\n'
    )
    fill_page(page)
    text, figure = page.read_text(), (tmp_path / 'a.svg').read_bytes()
    assert text.startswith('# Results\n') and text.endswith('\n\nThe end.\n')
    assert 'an old table' not in text
    lines = [line.split('|')[1:-1] for line in text.splitlines() if line.startswith('| ')]
    cells = {row.strip(): [cell.strip() for cell in rest] for row, *rest in lines}
    assert cells['copying the support'] == ['–', '25.0', '25.0', '25.0', '–']
    assert cells['base'] == ['2', *['50.0 ± 0.0'] * 3, '–']
    assert cells['+ mine'] == ['2', *['60.0 ± 0.0'] * 3, '+10.0 ± 0.0']
    fill_page(page)
    assert page.read_text() == text
    assert (tmp_path / 'a.svg').read_bytes() == figure


def test_files_of_the_same_pairs_are_joined_into_one_table_and_a_curve(tmp_path):
    scores = np.full((2, 2, 3), 40.0)
    every = ('PCK@0.05', 'PCK@0.2', 'mPCK')
    for file, row, values in (('one', 'FMMP', scores + 5), ('other', '20', scores[:1])):
        by_seed = {str(seed): dict.fromkeys(every, one) for seed, one in enumerate(values)}
        floors = {'copying the support': dict.fromkeys(every, scores[0, :, 0] / 2)}
        evidence = Evidence('same', ['a', 'b'], {row: by_seed}, floors if file == 'one' else {})
        write_evidence(evidence, tmp_path / f'{file}.json')
    page = tmp_path / 'page.md'
    files, rows = 'other.json, one.json', 'copying the support; 20; FMMP = 222'
    page.write_text(
        f'<!-- evidence: {files} | {rows} | against: FMMP | curve: curve.svg -->\n<!-- end -->'
    )
    fill_page(page)
    lines = [line.split('|')[1:-1] for line in page.read_text().splitlines() if line[:2] == '| ']
    cells = {row.strip(): [cell.strip() for cell in rest] for row, *rest in lines}
    assert cells['20'] == ['1', *['40.0 ± 0.0'] * 3, '-5.0 ± 0.0']
    assert cells['222'] == ['2', *['45.0 ± 0.0'] * 3, '–']
    assert cells['copying the support'][1] == '20.0'
    assert (tmp_path / 'curve.svg').read_text().startswith('<?xml')
    page.write_text('<!-- evidence: one.json | FMMP | curve: curve.svg -->\n<!-- end -->')
    with pytest.raises(InputError, match='these are no numbers: FMMP'):
        fill_page(page)


def test_seeds_of_a_row_are_joined_from_several_files():
    first = evidence_of(mine=np.ones((1, 2, 3)), other=np.ones((1, 2, 3)))
    more = replace(first, scores={'mine': {'2': {'mPCK': np.full((2, 3), 4.0)}}})
    joined = join({'a.json': first, 'b.json': more})
    assert joined.seeds('mine') == ['0', '2'] and joined.seeds('other') == ['0']
    assert joined.of('mine', 'mPCK').mean((1, 2)).tolist() == [1, 4]
    assert first.seeds('mine') == ['0']


def test_files_of_other_pairs_or_with_the_same_seed_are_not_joined():
    one = evidence_of(mine=np.ones((1, 2, 3)))
    with pytest.raises(InputError, match="b.json: 'mine', seed 0, stands in a file before it"):
        join({'a.json': one, 'b.json': one})
    other = replace(evidence_of(other=np.ones((1, 2, 3))), pairs='others')
    with pytest.raises(InputError, match='b.json: its pairs are not those of a.json'):
        join({'a.json': one, 'b.json': other})


@pytest.mark.parametrize(
    ('text', 'message'),
    [
        ('no table', 'holds no <!-- evidence'),
        ('<!-- evidence: evidence.json | other -->\n<!-- end -->', "no evidence of 'other'"),
        ('<!-- evidence: evidence.json -->\n<!-- end -->', 'expected FILE | ROW'),
        ('<!-- evidence: evidence.json | base | shape -->\n<!-- end -->', 'expected FILE | ROW'),
        ('<!-- evidence: missing.json | base -->\n<!-- end -->', r'missing\.json: no file that'),
    ],
)
def test_a_page_that_cannot_be_made_stays_as_it_is(sweep, tmp_path, text, message):
    finish(sweep.runs[0], random_scores(0))
    write_evidence(collect(sweep), tmp_path / 'evidence.json')
    page = tmp_path / 'page.md'
    page.write_text(text)
    with pytest.raises(InputError, match=message):
        fill_page(page)
    assert page.read_text() == text


def test_the_repositorys_results_are_those_of_its_kept_files(tmp_path):
    shutil.copytree(ROOT / 'docs/results', tmp_path / 'results')
    page = Path(shutil.copy(ROOT / 'docs/results.md', tmp_path))
    fill_page(page)
    assert page.read_text() == (ROOT / 'docs/results.md').read_text()
