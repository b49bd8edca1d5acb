"""The notebook runs as it is."""

import json
import re

from tests.tiny import ROOT


def test_the_notebook_labels_finds_compares_and_fine_tunes(monkeypatch, capsys):
    monkeypatch.chdir(ROOT / 'docs')
    notebook = json.loads((ROOT / 'docs/quickstart.ipynb').read_text(encoding='utf-8'))
    names = {}
    for cell in notebook['cells']:
        if cell['cell_type'] == 'code':
            exec(compile(''.join(cell['source']), cell['id'], 'exec'), names)
    found = re.findall(r'^(\w+) .*PCK@0\.1 ([\d.]+)$', capsys.readouterr().out, re.MULTILINE)
    scores = {name: float(value) for name, value in found}
    assert [*scores] == ['one', 'ten', 'before', 'after']
    assert min(scores.values()) > 60
