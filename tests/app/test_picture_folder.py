"""A folder's pictures: which there are, how they are rendered, what is taken in."""

import io
import os

import cv2
import numpy as np
import pytest
from PIL import Image

from fmmp.app.folder import Folder
from fmmp.errors import InputError
from tests.app.pages import write_pictures


def jpeg(width=30, height=20, format='JPEG', **options):
    content = io.BytesIO()
    Image.new('RGB', (width, height), (200, 30, 30)).save(content, format, **options)
    return content.getvalue()


def test_pictures_are_listed_by_their_path_with_their_size(root):
    folder = Folder(root)
    assert list(folder.pictures) == ['a.jpg', 'b.jpg', 'sub/c.png']
    assert (folder.pictures['a.jpg'].width, folder.pictures['a.jpg'].height) == (80, 60)


def test_what_lies_outside_or_is_hidden_is_not_listed(root, tmp_path):
    write_pictures(tmp_path, ['outside.jpg', 'elsewhere/x.jpg'])
    write_pictures(root, ['.hidden.jpg', '.cache/x.jpg'])
    (root / 'link.jpg').symlink_to(tmp_path / 'outside.jpg')
    (root / 'folder').symlink_to(tmp_path / 'elsewhere')
    (root / 'circle.jpg').symlink_to(root / 'circle.jpg')
    (root / 'inside.jpg').symlink_to(root / 'a.jpg')
    (root / 'd.jpg').mkdir()
    os.mkfifo(root / 'pipe.jpg')
    folder = Folder(root)
    assert set(folder.pictures) == {'a.jpg', 'b.jpg', 'sub/c.png', 'inside.jpg'}
    for name in ('../outside.jpg', str(tmp_path / 'outside.jpg'), 'link.jpg', 'sub/../a.jpg', ''):
        with pytest.raises(KeyError):
            folder.path(name)


def test_a_picture_that_becomes_a_link_outside_is_refused(root, tmp_path):
    write_pictures(tmp_path, ['outside.jpg'])
    folder = Folder(root)
    (root / 'a.jpg').unlink()
    (root / 'a.jpg').symlink_to(tmp_path / 'outside.jpg')
    with pytest.raises(KeyError):
        folder.render('a.jpg', 100)


@pytest.mark.parametrize('content', [b'', b'no picture', jpeg()[:200], jpeg(400, 400, 'PNG')[:200]])
def test_a_broken_picture_says_so_and_is_never_rendered(root, content):
    (root / 'broken.jpg').write_bytes(content)
    folder = Folder(root)
    with pytest.raises(InputError, match='not a readable picture'):
        folder.render('broken.jpg', 100)
    assert folder.pictures['broken.jpg'].error


def test_a_picture_of_too_many_pixels_is_not_read(root):
    head = jpeg(format='PNG')
    size = (20000).to_bytes(4, 'big') * 2
    content = head[:16] + size + head[24:]
    (root / 'bomb.png').write_bytes(content)
    folder = Folder(root)
    assert folder.pictures['bomb.png'].error
    with pytest.raises(InputError):
        folder.add('bomb.png', content)


def test_pictures_are_rendered_upright_and_small(root):
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by a quarter
    (root / 'turned.jpg').write_bytes(jpeg(300, 200, exif=exif))
    folder = Folder(root)
    assert (folder.pictures['turned.jpg'].width, folder.pictures['turned.jpg'].height) == (200, 300)
    assert Image.open(io.BytesIO(folder.render('turned.jpg', 60))).size == (40, 60)


def test_grey_pictures_of_16_bits_are_rendered_by_their_upper_8(root):
    cv2.imwrite(str(root / 'deep.png'), np.full((10, 12), 0x8042, np.uint16))
    rendered = np.asarray(Image.open(io.BytesIO(Folder(root).render('deep.png', 60))))
    assert rendered.shape == (10, 12, 3) and abs(int(rendered[5, 5, 0]) - 0x80) < 3


def test_a_picture_is_taken_in_under_a_tame_free_name(root):
    folder = Folder(root)
    assert folder.add('a.jpg', jpeg()) == 'a_2.jpg'
    assert folder.add('../../etc/pass<w>d\n.JPG', jpeg()) == 'pass_w_d_.JPG'
    assert folder.add('C:\\x\\.hidden.png', jpeg(format='PNG')) == 'hidden.png'
    assert {path.parent for path in root.parent.rglob('*_w_*')} == {root}
    assert Folder(root).pictures.keys() == folder.pictures.keys()


@pytest.mark.parametrize(
    ('name', 'content', 'message'),
    [
        ('page.html', jpeg(), 'ends in none of'),
        ('page.jpg', b'<html>', 'not a readable picture'),
        ('half.jpg', jpeg(400, 400)[:700], 'not a readable picture'),
        ('large.jpg', bytes(65 << 20), '64 MiB'),
    ],
)
def test_what_is_no_whole_picture_is_not_taken_in(root, name, content, message):
    before = sorted(root.rglob('*'))
    with pytest.raises(InputError, match=message):
        Folder(root).add(name, content)
    assert sorted(root.rglob('*')) == before


@pytest.mark.parametrize('format', ['JPEG', 'TIFF', 'WEBP'])
def test_a_picture_on_its_side_is_measured_as_it_is_shown(tmp_path, format):
    exif = Image.Exif()
    exif[0x0112] = 6
    (tmp_path / f'x.{format.lower()}').write_bytes(jpeg(30, 20, format, exif=exif))
    ((name, picture),) = Folder(tmp_path).pictures.items()
    shown = Image.open(io.BytesIO(Folder(tmp_path).render(name, 4096)))
    assert (picture.width, picture.height) == (20, 30) == shown.size
