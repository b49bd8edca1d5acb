import runpy
import sys
from pathlib import Path

import pytest

from fmmp.formats import read, write

from .beetles import beetles, save_images

SCRIPT = Path(__file__).resolve().parents[2] / 'tools' / 'convert_labels.py'


@pytest.fixture
def run(monkeypatch, tmp_path):
    """Run the script in an empty folder; its exit, None after success."""
    monkeypatch.chdir(tmp_path)

    def command(*arguments):
        monkeypatch.setattr(sys, 'argv', [str(SCRIPT), *arguments])
        try:
            runpy.run_path(str(SCRIPT), run_name='__main__')
        except SystemExit as end:
            return end.code

    return command


def test_labels_go_from_one_tool_to_another(run, tmp_path, capsys):
    labels = beetles()
    save_images(labels, tmp_path / 'pictures')
    write(labels, tmp_path / 'cvat.xml', 'cvat')
    assert run('cvat.xml', 'yolo', '--to', 'ultralytics', '--images', 'pictures') is None
    assert "3 objects of 'beetle' in 2 images, 4 keypoints" in capsys.readouterr().out
    assert run('yolo', 'coco.json', '--to', 'coco') is None
    assert [item.image for item in read('coco.json').items] == ['a/one.png', 'b.jpg', 'b.jpg']


def test_what_is_wrong_is_told_in_one_line(run, tmp_path):
    assert 'there is no such file' in run('none.json', 'out.json', '--to', 'coco')
    write(beetles(), tmp_path / 'x.json', 'coco')
    error = run('x.json', 'y.xml', '--to', 'cvat', '--images', 'pictures')
    assert error == 'error: --images is of no use from coco to cvat'
    error = run('x.json', 'y.csv', '--to', 'coco', '--category', 'bee')
    assert error.startswith("error: x.json: no category 'bee'")
    assert not Path('y.xml').exists() and not Path('y.csv').exists()
