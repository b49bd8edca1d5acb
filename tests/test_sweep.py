"""Sweeps: what is run, skipped, resumed and reported, and the tables at the end."""

import json
import threading
from pathlib import Path

import pytest
from mmcv import Config

from fmmp.errors import InputError
from fmmp.sweep import (
    Launcher,
    complete_all,
    execute_command,
    read_sweep,
    tables,
    write_tables,
)
from tests.tiny import CONFIG, ROOT

LAUNCHER = Launcher(Path('tools'))


@pytest.fixture
def sweep_of(tmp_path):
    """Read a sweep of these settings; two rows of MP-100's config unless they say else."""

    def make(cfg_options=(), **settings):
        path = tmp_path / 'sweep.py'
        settings = {'configs': {'base': str(CONFIG), '+ mine': str(CONFIG)}, **settings}
        path.write_text('\n'.join(f'{name} = {value!r}' for name, value in settings.items()))
        return read_sweep(path, tmp_path / 'work', cfg_options)

    return make


class Scripts:
    """Stands in for the scripts: a test writes the score that it is told, a training nothing."""

    def __init__(self, scores=None, fails=()):
        self.scores, self.fails, self.calls = scores or {}, fails, []
        self.lock = threading.Lock()

    def __call__(self, command, log):
        script = Path(command[1]).name
        work_dir = log.parent
        with self.lock:
            self.calls.append((script, work_dir))
        if work_dir.name in self.fails and script == 'train.py':
            log.write_text('loading\nerror: no such file\n')
            return 1
        if script == 'test.py':
            score = self.scores.get(work_dir.name, 0.5)
            (work_dir / 'results.json').write_text(json.dumps({'metrics': {'mPCK': score}}))
        return 0


def run_all(sweep, execute, jobs=1):
    return complete_all(sweep.runs, LAUNCHER, jobs, execute, lambda run, failure: None)


def test_every_combination_is_trained_into_its_own_folder_then_tested(sweep_of, tmp_path):
    sweep = sweep_of(splits=[2, 3], shots=[1, 5], seeds=[0, 1])
    scripts = Scripts()
    assert not run_all(sweep, scripts)
    assert len(sweep.runs) == 2 * 2 * 2 * 2
    expected = {
        tmp_path / 'work/sweep' / row / f'split{split}_{shots}shot_seed{seed}'
        for row in ('base', 'mine')
        for split in (2, 3)
        for shots in (1, 5)
        for seed in (0, 1)
    }
    assert {work_dir for _, work_dir in scripts.calls} == expected
    assert [script for script, _ in scripts.calls] == ['train.py', 'test.py'] * 16


def test_the_options_of_a_run_choose_its_split_and_shots_in_every_subset(sweep_of):
    run = sweep_of(['model.pretrained=None'], splits=[3], shots=[5], seeds=[7]).runs[0]
    command = LAUNCHER.train(run)
    assert command[command.index('--seed') + 1] == '7' and '--auto-resume' in command
    options = command[command.index('--cfg-options') + 1 :]
    config = Config.fromfile(run.config)
    config.merge_from_dict({key: int(value) for key, value in (o.split('=') for o in options[:-1])})
    for subset in ('train', 'val', 'test'):
        assert config.data[subset].valid_class_ids == dict(split=3, subset=subset)
        assert config.data[subset].num_shots == 5
    assert options[-1] == 'model.pretrained=None'


@pytest.mark.parametrize(
    ('kind', 'train', 'test'),
    [
        ('pytorch', 'dist_train.sh CONFIG 4 --work-dir DIR', 'dist_test.sh CONFIG LATEST 4 --out'),
        ('slurm', 'slurm_train.sh gpu JOB CONFIG DIR', 'slurm_test.sh gpu JOB CONFIG LATEST --out'),
    ],
)
def test_launchers_give_the_scripts_their_arguments_in_order(sweep_of, kind, train, test):
    run = sweep_of(splits=[1], shots=[1]).runs[0]
    launcher = Launcher(ROOT / 'tools', kind, 4, 'gpu')
    names = {
        'CONFIG': run.config,
        'DIR': str(run.work_dir),
        'LATEST': str(run.tested_checkpoint()),
        'JOB': 'base_split1_1shot_seed0',
    }
    for command, expected in (
        (launcher.train(run), train),
        (launcher.test(run, run.tested_checkpoint()), test),
    ):
        words = [names.get(word, word) for word in expected.split()]
        assert command[:2] == ['bash', str(ROOT / 'tools' / words[0])]
        assert command[2 : len(words) + 1] == words[1:]


def test_what_is_finished_is_skipped_and_what_is_not_is_gone_on_with(sweep_of):
    sweep = sweep_of(seeds=[0, 1])
    failing = Scripts(fails=['seed1'])
    assert len(run_all(sweep, failing)) == 2
    again = Scripts()
    assert not run_all(sweep, again)
    assert {(script, folder.name) for script, folder in again.calls} == {
        ('train.py', 'seed1'),
        ('test.py', 'seed1'),
    }
    last = Scripts()
    run_all(sweep, last)
    assert not last.calls


@pytest.mark.parametrize('jobs', [1, 4])
def test_a_run_that_fails_stops_no_other_and_is_reported_with_its_last_words(sweep_of, jobs):
    sweep = sweep_of(seeds=[0, 1, 2])
    scripts = Scripts(fails=['seed1'])
    failures = run_all(sweep, scripts, jobs)
    assert [run.seed for run in failures] == [1, 1]
    assert all('output.txt: error: no such file' in text for text in failures.values())
    assert sum(run.results.exists() for run in sweep.runs) == 4
    assert all(('test.py', run.work_dir) not in scripts.calls for run in failures)


def test_every_row_has_a_seed_before_any_has_the_next(sweep_of):
    sweep = sweep_of(seeds=[0, 1, 2])
    rows = len({run.row for run in sweep.runs})
    assert rows > 1
    assert [run.seed for run in sweep.runs] == [0] * rows + [1] * rows + [2] * rows


def test_an_interrupt_begins_nothing_more(sweep_of):
    sweep = sweep_of(seeds=[0, 1, 2])
    begun = []

    def interrupted(command, log):
        begun.append(log)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_all(sweep, interrupted)
    assert len(begun) < len(sweep.runs)


def test_a_run_begun_with_other_settings_is_not_mixed_in(sweep_of):
    run_all(sweep_of(), Scripts())
    scripts = Scripts()
    failures = run_all(sweep_of(cfg_options={'optimizer.lr': 0.1}), scripts)
    assert len(failures) == 2 and not scripts.calls
    assert 'begun with other settings: options' in next(iter(failures.values()))


def test_a_row_that_another_sweep_trains_is_tested_only_once_it_is_trained(sweep_of, tmp_path):
    sweep = sweep_of(trained_by={'+ mine': 'earlier/+ its row'}, seeds=[1])
    scripts = Scripts()
    (failure,) = run_all(sweep, scripts).values()
    trained = tmp_path / 'work/earlier/its_row/seed1'
    assert failure == f'{trained} is not finished: run the sweep that trains it first'
    assert [script for script, _ in scripts.calls] == ['train.py', 'test.py']
    trained.mkdir(parents=True)
    (trained / 'latest.pth').touch()  # of an epoch before the last, as far as can be told
    assert [*run_all(sweep, Scripts()).values()] == [failure]
    (trained / 'results.json').touch()
    again = Scripts()
    assert not run_all(sweep, again)
    mine = sweep.runs[1]
    assert again.calls == [('test.py', mine.work_dir)]
    command = LAUNCHER.test(mine, mine.tested_checkpoint())
    assert str(trained / 'latest.pth') in command


def test_what_another_sweep_trained_may_be_named_in_another_way(sweep_of, tmp_path, monkeypatch):
    sweep = sweep_of(trained_by={'+ mine': 'earlier/+ its row'}, seeds=[1])
    sweep.runs[1].trained_in.mkdir(parents=True)
    (sweep.runs[1].trained_in / 'results.json').touch()
    assert not run_all(sweep, Scripts())
    monkeypatch.chdir(tmp_path)
    again = read_sweep(tmp_path / 'sweep.py', 'work')
    scripts = Scripts()
    assert not run_all(again, scripts) and not scripts.calls


def test_the_best_checkpoint_is_the_latest_that_was_best(sweep_of):
    run = sweep_of(checkpoint='best').runs[0]
    with pytest.raises(InputError, match='was it validated'):
        run.tested_checkpoint()
    run.work_dir.mkdir(parents=True)
    for epoch in (9, 10):
        (run.work_dir / f'best_mPCK_epoch_{epoch}.pth').touch()
    assert run.tested_checkpoint().name == 'best_mPCK_epoch_10.pth'


def test_tables_have_splits_as_columns_their_mean_and_the_seeds_deviation(sweep_of, tmp_path):
    sweep = sweep_of(splits=[1, 2], shots=[1, 5], seeds=[0, 1])
    scores = {
        'split1_1shot_seed0': 0.60,
        'split1_1shot_seed1': 0.62,
        'split2_1shot_seed0': 0.70,
        'split2_1shot_seed1': 0.70,
    }
    run_all(sweep, Scripts(scores, fails=['split2_5shot_seed1']))
    one_shot, five_shots = tables(sweep, 'markdown').split('5 shots')
    assert 'mPCK, 1 shot, mean ± standard deviation of 2 seeds' in one_shot
    rows = [
        [cell.strip() for cell in line.split('|')[1:-1]]
        for line in one_shot.splitlines()
        if '|' in line
    ]
    assert rows[0] == ['', 'split 1', 'split 2', 'mean']
    assert rows[2] == ['base', '61.00 ± 1.41', '70.00 ± 0.00', '65.50 ± 0.71']
    assert rows[3][0] == '+ mine'
    base = next(line for line in five_shots.splitlines() if 'base' in line)
    assert [cell.strip() for cell in base.split('|')[2:5]] == ['50.00 ± 0.00', '–', '–']
    paths = write_tables(sweep, tmp_path)
    assert [path.name for path in paths] == ['tables.md', 'tables.tex']
    assert r'61.00 $\pm$ 1.41 & 70.00' in paths[1].read_text()


def test_an_ablation_of_one_split_and_seed_is_a_column_of_rows(sweep_of):
    sweep = sweep_of(splits=[1], shots=[1])
    run_all(sweep, Scripts())
    *_, base, mine = tables(sweep, 'markdown').split('\n')[:-1]
    assert (base.split(), mine.split()) == (
        '| base | 50.00 |'.split(),
        '| + mine | 50.00 |'.split(),
    )


def test_floors_that_are_asked_for_later_are_tested_then(sweep_of):
    scripts = Scripts()
    assert not run_all(sweep_of(), scripts)
    sweep = sweep_of(floors=True)
    scripts.calls.clear()
    run_all(sweep, scripts)
    assert [work_dir for _, work_dir in scripts.calls] == [sweep.runs[0].work_dir] * 2
    sweep.runs[0].results.write_text(json.dumps({'metrics': {}, 'matching': {}}))
    scripts.calls.clear()
    run_all(sweep, scripts)
    assert not scripts.calls


def test_floors_are_tested_once_for_all_rows_and_stand_above_them(sweep_of):
    sweep = sweep_of(seeds=[0, 1], floors=True)
    asked = ['--matching-floor' in LAUNCHER.test(run, Path('latest.pth')) for run in sweep.runs]
    assert asked == [True, False, False, False]
    for run in sweep.runs:
        run.work_dir.mkdir(parents=True)
        report = {'metrics': {'mPCK': 0.5}, 'copy_support': {'mPCK': 0.25}}
        if run.seed == 1:
            report['matching'] = {'mPCK': 0.375}
        run.results.write_text(json.dumps(report))
    lines = tables(sweep, 'markdown').splitlines()[-4:-1]
    cells = [[cell.strip() for cell in line.split('|')[1:-1]] for line in lines]
    assert cells == [
        ['copying the support', '25.00'],
        ['matching features', '37.50'],
        ['base', '50.00 ± 0.00'],
    ]


@pytest.mark.parametrize(
    ('settings', 'message'),
    [
        ({'split': [1]}, r"unknown settings \['split'\]: choose from configs, splits"),
        ({'configs': ['a.py']}, 'configs must be'),
        ({'configs': {'+ a': str(CONFIG), '- a': str(CONFIG)}}, 'too alike'),
        ({'seeds': 3}, 'seeds must be a list'),
        ({'metric': 'OKS'}, "unknown metric 'OKS': choose from PCK@0.05"),
        ({'trained_by': {'other': 'sweep/base'}}, 'trained_by must be'),
        ({'configs': {'a': str(CONFIG)}, 'trained_by': {'a': 'base'}}, 'trained_by must be'),
        ({'checkpoint': 'first'}, "'latest' or 'best'"),
        (
            {'configs': {'a': str(ROOT / 'configs/demo/synthpose.py')}, 'splits': [1]},
            'synthpose.py: .* names no split',
        ),
    ],
)
def test_a_sweep_that_cannot_be_run_is_refused_before_it_starts(sweep_of, settings, message):
    with pytest.raises(InputError, match=message):
        sweep_of(**settings)


def test_a_mistake_in_a_sweep_file_or_its_config_is_named(tmp_path):
    broken = tmp_path / 'broken.py'
    broken.write_text("configs = {'a': 'x.py'\n")
    with pytest.raises(InputError, match=r'broken\.py'):
        read_sweep(broken, tmp_path)
    (tmp_path / 'bare.py').write_text("model = dict(type='FMMP')\n")
    sweep = tmp_path / 'sweep.py'
    sweep.write_text(f"configs = {{'a': {str(tmp_path / 'bare.py')!r}}}\n")
    with pytest.raises(InputError, match=r'bare\.py: no config of a training: it needs data\.'):
        read_sweep(sweep, tmp_path)


def test_a_split_names_its_own_files(sweep_of):
    sweep = sweep_of(splits=[1, 3], shots=[1], cfg_options=['data.test.ann_file=s{split}.json'])
    for run in sweep.runs:
        assert f'data.test.ann_file=s{run.split}.json' in run.options
    with pytest.raises(InputError, match=r'ann_file=s\{split\}.json: .* give the sweep splits'):
        sweep_of(['data.test.ann_file=s{split}.json'], splits=[None])


@pytest.mark.parametrize(
    ('name', 'runs'),
    [
        ('paper', 10),
        ('ablations', 5),
        ('benchmark', 27),
        ('benchmark_variants', 11),
        ('benchmark_seeds', 12),
        ('benchmark_layers', 13),
        ('benchmark_categories', 4),
        ('benchmark_5shots', 6),
        ('benchmark_mouse', 6),
    ],
)
def test_the_sweeps_of_the_repository_can_be_planned(name, runs, tmp_path, monkeypatch):
    monkeypatch.chdir(ROOT)
    sweep = read_sweep(f'configs/sweeps/{name}.py', tmp_path)
    assert len(sweep.runs) == runs


def test_a_command_appends_its_output_and_gives_its_status(tmp_path):
    log = tmp_path / 'output.txt'
    assert execute_command(['bash', '-c', 'echo one; exit 3'], log) == 3
    assert execute_command(['bash', '-c', 'echo $WORD >&2'], log, WORD='two') == 0
    lines = log.read_text().split('\n')
    assert 'one' in lines and 'two' in lines
