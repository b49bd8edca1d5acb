"""JPEGs at a fraction of their size, and where their pixels lie."""

import io

import cv2
import numpy as np
import pytest
from fmmp.datasets.crop import center_and_scale
from fmmp.datasets.reduced_decoding import decode_reduced
from fmmp.datasets.transforms import CropInstance, LoadReducedImage
from mmpose.datasets.pipelines import LoadImageFromFile
from PIL import Image

SIZE = 64


def smooth(width, height, length=4):
    """An image of waves, different in every part and channel."""
    x, y = np.meshgrid(np.arange(width) / length, np.arange(height) / length)
    waves = [np.sin(x / 4) + np.cos(y / 5), np.sin((x + y) / 6), np.cos((x - 2 * y) / 9)]
    return np.stack([128 + 60 * wave for wave in waves], -1).clip(0, 255).astype(np.uint8)


def save(path, pixels, orientation=1, **options):
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(pixels).save(path, exif=exif, **options)
    return path


def crop(load, path, box):
    center, scale = center_and_scale(box)
    keypoints = np.array([[box[0], box[1]], [box[0] + box[2], box[1] + box[3]]], np.float32)
    view = {'image_file': str(path), 'center': center, 'scale': scale, 'image_size': SIZE}
    view.update(keypoints=keypoints, visible=np.ones(2, bool))
    read = load(view)['img'].shape
    return CropInstance()(view), read


@pytest.mark.parametrize('orientation', range(1, 9))
@pytest.mark.parametrize('factor', [2, 4, 8])
def test_a_reduced_images_crop_shows_what_the_whole_images_does(tmp_path, orientation, factor):
    path = save(
        tmp_path / 'a.jpg', smooth(811, 606, factor), orientation, quality=98, subsampling=0
    )
    side = factor * SIZE / 1.25 + 1
    width, height = (811, 606) if orientation < 5 else (606, 811)
    box = (width / 2 - side / 2, height / 2 - side / 2, side, side / 2)
    whole, _ = crop(LoadImageFromFile(), path, box)
    reduced, read = crop(LoadReducedImage(smallest_scale=1), path, box)
    assert read[1] == -(-width // factor)
    np.testing.assert_array_equal(reduced['keypoints'], whole['keypoints'])
    # Were a row or column that is cut off forgotten, it would be 1.7 at least.
    assert np.abs(reduced['img'].astype(int) - whole['img']).mean() < 1.4


def test_the_crop_never_enlarges_what_is_read(tmp_path):
    path = save(tmp_path / 'a.jpg', smooth(640, 640))
    for side, sides_read in ((51, 640), (2 * 51, 640), (2 * 61, 320), (4 * 61, 160), (500, 80)):
        _, read = crop(LoadReducedImage(), path, (20, 20, side, side))
        assert read[0] == sides_read  # at 0.85 of the scale, too


@pytest.mark.parametrize('name', ['a.png', 'a.bmp', 'tiny.jpg', 'grey.jpg'])
def test_what_cannot_be_reduced_is_read_as_it_is(tmp_path, name):
    pixels = smooth(3, 2) if name == 'tiny.jpg' else smooth(400, 300)
    Image.fromarray(pixels[..., 0] if name == 'grey.jpg' else pixels).save(tmp_path / name)
    box = (0, 0, 2, 1) if name == 'tiny.jpg' else (10, 10, 40, 40)
    if name.endswith(('png', 'bmp')):
        box = (10, 10, 250, 250)
    whole, _ = crop(LoadImageFromFile(), tmp_path / name, box)
    reduced, _ = crop(LoadReducedImage(), tmp_path / name, box)
    np.testing.assert_array_equal(reduced['img'], whole['img'])


def test_a_file_that_is_no_image_is_refused():
    cut = io.BytesIO()
    Image.fromarray(smooth(64, 64)).save(cut, 'JPEG')
    for data in (b'\xff\xd8 no image', cut.getvalue()[:60], b'PK'):
        with pytest.raises((ValueError, cv2.error)):
            decode_reduced(data, most=8)
