"""What benchmarks answer where they have nothing to compare."""

import runpy
import sys

import pytest
from fmmp.models.ops import library

from tests.tiny import ROOT


@pytest.mark.parametrize('name', ['throughput', 'fgsa_op'])
def test_a_benchmark_of_the_ops_stops_where_they_are_not_compiled(monkeypatch, name):
    monkeypatch.setattr(library, 'DEVICES', frozenset())
    monkeypatch.setattr(library, 'REASON', 'no compiler')
    monkeypatch.setattr(sys, 'argv', [f'{name}.py'])
    with pytest.raises(SystemExit, match='^nothing to compare, .* not compiled for cpu: no compi'):
        runpy.run_path(str(ROOT / f'benchmarks/{name}.py'), run_name='__main__')


def test_the_benchmark_of_methods_knows_those_that_configs_train(monkeypatch, capsys):
    monkeypatch.setattr(sys, 'argv', ['methods.py', '--help'])
    monkeypatch.syspath_prepend(str(ROOT / 'benchmarks'))
    with pytest.raises(SystemExit, match='^0$'):
        runpy.run_path(str(ROOT / 'benchmarks/methods.py'), run_name='__main__')
    assert 'methods' in capsys.readouterr().out
    known = runpy.run_path(str(ROOT / 'benchmarks/methods.py'))['METHODS']
    folders = {path.split('/')[0] for path in known.values()}
    assert {'fmmp', 'pomnet', 'capeformer', 'poseanything', 'matching'} <= folders
    assert all((ROOT / 'configs' / path).exists() for path in known.values())
