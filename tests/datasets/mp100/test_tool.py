"""The command `tools/dataset/mp100.py`."""

import importlib.util
import json
import os
import sys
from pathlib import Path

import pytest

from fmmp.cli import run

TOOL = Path(__file__).parents[3] / 'tools/dataset/mp100.py'


@pytest.fixture
def tool(monkeypatch, capsys):
    """Run the command; returns its exit code, its output and its error."""
    spec = importlib.util.spec_from_file_location('mp100_tool', TOOL)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)

    def call(*args):
        monkeypatch.setattr(sys, 'argv', ['mp100.py', *map(str, args)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as exit_:
            run(module.main)
        captured = capsys.readouterr()
        code = exit_.value.code
        if isinstance(code, str):  # what Python prints before it exits with 1
            return 1, captured.out, code
        return code, captured.out, captured.err

    return call


def test_unify_writes_the_file_and_the_report_and_repeats_to_the_byte(tool, split_files, clean):
    out, report = split_files / 'unified.json', split_files / 'reports/unify.json'
    code, text, _ = tool('unify', split_files, '--out', out, '--json', report)
    first = out.read_bytes()
    assert code == 0
    assert '4 categories, 16 images, 16 annotations from 3 files' in text
    assert json.loads(first)['annotations'] == clean['annotations']
    assert json.loads(report.read_text())['categories'][0]['name'] == 'category_1'
    tool('unify', split_files, '--out', out)
    assert out.read_bytes() == first


def test_a_dry_run_writes_nothing(tool, split_files, small_dataset):
    files = sorted(small_dataset.rglob('*'))
    out = small_dataset / 'new.json'
    code, text, _ = tool('unify', split_files, '--out', out, '--dry-run')
    assert code == 0 and '16 annotations' in text
    images = ('--images', small_dataset / 'images', '--queries', 3)
    unified = small_dataset / 'unified.json'
    assert tool('check', unified, *images, '--write-usable', out, '--dry-run')[0] == 0
    assert sorted(small_dataset.rglob('*')) == files


def test_an_error_is_one_line_and_leaves_the_earlier_result(tool, split_files):
    out = split_files / 'unified.json'
    out.write_text('earlier')
    (split_files / 'mp100_split1_val.json').write_text('{"images": [')
    code, _, error = tool('unify', split_files, '--out', out)
    assert code == 1
    assert error.startswith('error: ') and 'mp100_split1_val.json' in error
    assert out.read_text() == 'earlier'


@pytest.mark.parametrize('where', ['file/unified.json', 'folder'])
def test_an_output_that_cannot_be_written_is_said_before_the_work(
    tool, split_files, tmp_path, where
):
    (tmp_path / 'file').write_text('')
    (tmp_path / 'folder').mkdir()
    before = sorted(tmp_path.rglob('*'))
    code, _, error = tool('unify', split_files, '--out', tmp_path / where)
    assert code == 1 and 'folder' in error
    assert sorted(tmp_path.rglob('*')) == before


@pytest.mark.skipif(os.geteuid() == 0, reason='root may write anywhere')
def test_a_folder_without_permission_is_said_before_the_work(tool, split_files, tmp_path):
    (tmp_path / 'closed').mkdir(mode=0o500)
    code, _, error = tool('unify', split_files, '--out', tmp_path / 'closed/unified.json')
    assert code == 1 and 'cannot be written' in error


def test_check_exits_with_1_where_a_split_cannot_run(tool, small_dataset):
    unified, usable = small_dataset / 'unified.json', small_dataset / 'usable.json'
    options = ('--images', small_dataset / 'images', '--queries', 2)
    assert tool('check', unified, *options)[0] == 0
    (small_dataset / 'images/category_1/0.jpg').unlink()
    code, text, progress = tool('check', unified, *options)
    assert code == 1
    assert 'cannot run as it is, but on what is usable' in text
    assert '16/16 images' in progress
    code, text, _ = tool('check', unified, *options, '--write-usable', usable)
    assert code == 0 and f'{usable}: 15 usable annotations' in text
    assert tool('check', usable, *options)[0] == 0
    (small_dataset / 'images/category_1/1.jpg').unlink()
    assert tool('check', unified, *options, '--write-usable', usable)[0] == 1


def test_prepare_builds_from_a_template_that_was_filled_in(tool, tmp_path):
    sources, out = tmp_path / 'sources.yml', tmp_path / 'mp100'
    assert tool('prepare', '--sources', sources, '--write-template')[0] == 0
    (tmp_path / 'coco').mkdir()
    sources.write_text(sources.read_text().replace('\nCOCO:', '\nCOCO: coco'))
    code, text, _ = tool('prepare', '--sources', sources, '--out', out, '--dry-run')
    assert code == 0 and '1 of 100 categories would be complete' in text
    assert not out.exists()
    assert tool('prepare', '--sources', sources, '--out', out)[0] == 0
    assert (out / 'images/human_body').is_dir()
    (out / 'annotations').mkdir()
    (out / 'annotations/unified.json').write_text('{')
    code, _, error = tool('prepare', '--sources', sources, '--out', out)
    assert code == 1 and 'annotations/unified.json' in error
    code, _, error = tool('prepare', '--sources', sources)
    assert code == 1 and '--out' in error


def test_a_converted_data_set_passes_the_check_and_is_the_same_again(tool, small_dataset, tmp_path):
    out, images = tmp_path / 'mine/unified.json', tmp_path / 'mine/images'
    source = ('--images-from', small_dataset / 'images')
    args = (small_dataset / 'unified.json', '--out', out, '--images', images, *source)
    code, text, _ = tool('convert', *args, '--dry-run')
    assert code == 0 and 'category_1 (101): 4 instances' in text
    assert not (tmp_path / 'mine').exists()
    for _ in range(2):
        assert tool('convert', *args)[0] == 0
        assert tool('check', out, '--images', images, '--queries', 3)[0] == 0
    (images / 'category_4').unlink()
    (images / 'category_4').mkdir()
    code, _, error = tool('convert', *args)
    assert code == 1 and 'category_4 is there and no link' in error


def test_stats_and_show_write_what_they_are_asked_for(tool, small_dataset, tmp_path):
    unified = small_dataset / 'unified.json'
    files = {name: tmp_path / f'out/stats.{name}' for name in ('csv', 'png', 'json')}
    options = ('--csv', files['csv'], '--figure', files['png'])
    code, text, _ = tool('stats', unified, *options, '--dry-run')
    assert code == 0 and '4 categories' in text and not (tmp_path / 'out').exists()
    assert tool('stats', unified, *options, '--json', files['json'])[0] == 0
    assert all(path.stat().st_size for path in files.values())

    targets = ('category_1', 'category_2/3.jpg')
    options = ('--images', small_dataset / 'images', '--out', tmp_path / 'sheets')
    assert tool('show', unified, *targets, *options, '--dry-run')[0] == 0
    assert not (tmp_path / 'sheets').exists()
    code, text, _ = tool('show', unified, *targets, *options, '--count', 2)
    names = sorted(path.name for path in (tmp_path / 'sheets').iterdir())
    assert code == 0 and names == ['category_1.png', 'category_2_3.jpg.png']
    assert 'category_1.png: 2 instances' in text
