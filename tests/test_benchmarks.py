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
