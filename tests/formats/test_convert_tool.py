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


def test_an_ultralytics_set_without_its_images_finds_them_elsewhere(run, tmp_path):
    save_images(beetles(), tmp_path / 'pictures')
    write(beetles(), tmp_path / 'bare', 'ultralytics')
    assert run('bare', 'coco.json', '--to', 'coco', '--images', 'pictures') is None
    assert len(read('coco.json').items) == 3
    for text in (tmp_path / 'bare/labels').rglob('*.txt'):
        text.unlink()
    error = run('bare', 'none.json', '--to', 'coco', '--images', 'pictures')
    assert error == 'error: bare: no object in it, so nothing is written'
    assert not Path('none.json').exists()


def test_what_is_of_something_else_is_not_written_over(run, tmp_path):
    write(beetles(), tmp_path / 'annotations.xml', 'cvat')
    before = Path('annotations.xml').read_text()
    error = run('annotations.xml', 'annotations.json', '--to', 'label_studio')
    assert 'annotations.xml is there and is no labelling configuration' in error
    assert Path('annotations.xml').read_text() == before
    for _ in range(2):  # its own are replaced
        assert run('annotations.xml', 'new.json', '--to', 'label_studio') is None
        assert run('annotations.xml', 'pictures', '--to', 'labelme') is None
    Path('pictures/b.json').write_text('{"keypoints": [[1, 2]]}')  # beside b.jpg
    error = run('annotations.xml', 'pictures', '--to', 'labelme')
    assert "pictures/b.json is there and is not labelme's" in error
    assert Path('pictures/b.json').read_text() == '{"keypoints": [[1, 2]]}'


def test_the_pages_project_is_no_labelme_file(tmp_path):
    write(beetles(), tmp_path, 'labelme')
    (tmp_path / 'fmmp_project.json').write_text('{}')
    assert len(read(tmp_path, 'labelme').items) == 3
