"""Logs of trainings, and their curves."""

import json
import subprocess
import sys

import pytest

from fmmp.analysis.curves import common_keys, plot_curves, render
from fmmp.analysis.logs import read_run
from fmmp.errors import InputError
from tests.tiny import ROOT


def write(folder, start, *records):
    """Write a start's log: of (epoch, loss), or (epoch, None, mPCK) for a validation."""
    folder.mkdir(exist_ok=True)
    lines = [{'config': '…', 'seed': 0}]
    for epoch, loss, *score in records:
        mode = {'mode': 'val', 'mPCK': score[0]} if score else {'mode': 'train', 'loss': loss}
        lines.append({'epoch': epoch, 'iter': 10, 'lr': 0.1, **mode})
    path = folder / f'2026010{start}_000000.log.json'
    path.write_text('\n'.join(map(json.dumps, lines)) + '\n')
    return path


def test_a_curve_is_the_mean_over_an_epochs_records(tmp_path):
    write(tmp_path / 'run', 1, (1, 4.0), (1, 2.0), (1, None, 0.5), (2, 1.0))
    run = read_run(tmp_path / 'run')
    assert run.name == 'run' and run.keys() == ['lr', 'loss', 'mPCK']
    epochs, losses = run.curve('loss')
    assert epochs.tolist() == [1, 2] and losses.tolist() == [3, 1]
    assert [values.tolist() for values in run.curve('mPCK')] == [[1], [0.5]]


def test_a_resumed_training_replaces_the_epoch_that_was_cut_short(tmp_path):
    write(tmp_path, 1, (1, 3.0), (1, None, 0.1), (2, 9.0), (3, 9.0))
    write(tmp_path, 2)  # ended before it logged a step
    write(tmp_path, 3, (2, 2.0), (2, 2.0), (3, 1.0), (3, None, 0.3))
    run = read_run(tmp_path)
    assert [values.tolist() for values in run.curve('loss')] == [[1, 2, 3], [3, 2, 1]]
    assert [values.tolist() for values in run.curve('mPCK')] == [[1, 3], [0.1, 0.3]]


def test_a_last_line_cut_short_by_a_kill_is_left_out_and_other_damage_is_named(tmp_path):
    path = write(tmp_path, 1, (1, 3.0), (2, 2.0))
    whole = path.read_text()
    path.write_text(whole[:-9])
    assert read_run(path).curve('loss')[0].tolist() == [1]
    path.write_text(whole.replace('"loss": 3.0}', '"loss'))
    with pytest.raises(InputError, match=r'log\.json, line 2: is damaged'):
        read_run(path)


def test_what_holds_no_log_is_refused_by_name(tmp_path):
    with pytest.raises(InputError, match='nowhere: no such work directory'):
        read_run(tmp_path / 'nowhere')
    with pytest.raises(InputError, match=f'{tmp_path}: no log'):
        read_run(tmp_path)
    write(tmp_path, 1)
    with pytest.raises(InputError, match='nothing has been logged yet'):
        read_run(tmp_path)


def test_an_unknown_key_is_refused_with_the_keys_of_that_log(tmp_path):
    write(tmp_path, 1, (1, 3.0))
    with pytest.raises(InputError, match=r"no 'los' in its log: choose from lr, loss"):
        plot_curves([read_run(tmp_path)], ['los'])


def test_the_figure_has_a_panel_a_key_and_a_line_a_run_in_colours_that_differ(tmp_path):
    for number in range(9):
        write(tmp_path / f'run{number}', 1, (1, 3.0 + number), (2, 2.0), (2, None, 0.25))
    runs = [read_run(tmp_path / f'run{number}', f'name {number}') for number in range(9)]
    figure = plot_curves(runs, ['loss', 'mPCK', 'lr'])
    loss, score, _ = figure.axes
    assert loss.lines[3].get_ydata().tolist() == [6, 2]
    assert score.lines[0].get_ydata().tolist() == [25] and score.get_title().endswith('%')
    looks = {(line.get_color().tobytes(), line.get_linestyle()) for line in loss.lines}
    assert len(looks) == 9
    assert [text.get_text() for text in figure.legends[0].texts] == [run.name for run in runs]


@pytest.mark.parametrize(('kind', 'start'), [('png', b'\x89PNG'), ('pdf', b'%PDF')])
def test_a_figure_is_rendered_as_its_kind_of_file(tmp_path, kind, start):
    write(tmp_path, 1, (1, 3.0))
    assert render(plot_curves([read_run(tmp_path)], ['loss']), kind).startswith(start)


def test_the_script_writes_the_figure_or_one_line_about_what_is_wrong(tmp_path):
    write(tmp_path / 'run', 1, (1, 3.0))
    out = tmp_path / 'curves.svg'
    script = [sys.executable, ROOT / 'tools/analysis/plot_curves.py', tmp_path / 'run']

    def run(*options):
        return subprocess.run([*script, '--out', out, *options], capture_output=True, text=True)

    failed = run('--keys', 'mPCK')
    assert failed.returncode == 1 and 'choose from lr, loss' in failed.stderr
    assert len(failed.stderr.splitlines()) == 1 and not out.exists()
    done = run('--keys', 'loss', '--legend', 'mine')
    assert done.returncode == 0 and out.stat().st_size, done.stderr


def test_what_all_runs_have_logged_is_drawn_unless_something_is_named(tmp_path):
    runs = []
    for name, terms in (('one', ('loss_heatmap', 'loss_real')), ('two', ('loss_heatmap',))):
        (tmp_path / name).mkdir()
        records = [{'mode': 'train', 'epoch': 1, 'loss': 1.0, **dict.fromkeys(terms, 0.5)}]
        records.append({'mode': 'val', 'epoch': 1, 'mPCK': 0.5, 'NME': 0.1})
        path = tmp_path / name / '1.log.json'
        path.write_text('\n'.join(map(json.dumps, records)))
        runs.append(read_run(path, name))
    assert common_keys(runs) == ['loss_heatmap', 'mPCK']
    write(tmp_path / 'three', 1, (1, 3.0))
    assert common_keys([*runs, read_run(tmp_path / 'three')]) == ['loss']
    titles = [axes.get_title() for axes in plot_curves(runs[:1]).axes]
    assert len(titles) == 3
