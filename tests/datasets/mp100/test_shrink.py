import json
import shutil

import cv2
import numpy as np
import pytest
from fmmp.datasets.annotations import load_annotations
from fmmp.datasets.crop import center_and_scale, crop_image, crop_transform
from fmmp.datasets.mp100.check import all_run, check
from fmmp.datasets.mp100.shrink import format_report, shrink
from PIL import Image

from fmmp.errors import InputError

WIDTH, HEIGHT = 700, 500
BOX = [
    201.5,
    120.25,
    160.0,
    130.0,
]  # its crop has 199 pixels, without the one that reading takes off


@pytest.fixture
def source(tmp_path):
    """Five categories' images of waves, with an object each; the fifth's has no instance."""
    root = tmp_path / 'source'
    x, y = np.meshgrid(np.arange(WIDTH), np.arange(HEIGHT))
    waves = [np.sin(x / 19) + np.cos(y / 23), np.sin((x + y) / 30), np.cos((x - 2 * y) / 50)]
    pixels = np.stack([128 + 60 * wave for wave in waves], -1).clip(0, 255).astype(np.uint8)
    names = ['a/0.jpg', 'a/1.png', 'a/tiny.jpg', 'a/turned.jpg']
    (root / 'images/a').mkdir(parents=True)
    content = {'images': [], 'annotations': []}
    for number, name in enumerate(names):
        image, exif = Image.fromarray(pixels), Image.Exif()
        if name == 'a/tiny.jpg':
            image = image.crop((200, 100, 380, 270))
        size = image.size
        if name == 'a/turned.jpg':
            exif[0x0112] = 6  # to be turned clockwise
            image = image.transpose(Image.Transpose.ROTATE_90)
        image.save(root / 'images' / name, exif=exif)
        corner = (-10.0, 5.0) if name == 'a/tiny.jpg' else BOX[:2]
        points = [corner[0] + 30, corner[1] + 20, 2, 0, 0, 0, corner[0] + 150, corner[1] + 99, 1]
        content['images'].append(
            {'id': number, 'file_name': name, 'width': size[0], 'height': size[1]}
        )
        content['annotations'].append(
            {
                'id': number,
                'image_id': number,
                'category_id': 1,
                'bbox': [*corner, *BOX[2:]],
                'keypoints': points,
                'num_keypoints': 2,
                'area': BOX[2] * BOX[3],
                'segmentation': [[*corner, corner[0] + 50, corner[1], *corner]],
            }
        )
    content['categories'] = [{'id': 1, 'name': 'a', 'skeleton': [[0, 2]]}]
    (root / 'unified.json').write_text(json.dumps(content))
    return root


def run(source, out, **options):
    return shrink(source / 'unified.json', source / 'images', out, **options)


def instances(file):
    return [*load_annotations(file)[1].values()]


def crop(folder, instance, size=64, zoom=1.0, rotation=0.0):
    image = cv2.imread(str(folder / instance.image))
    center, scale = center_and_scale(instance.box)
    return crop_image(image, crop_transform(center, zoom * scale, size, rotation), size)


@pytest.mark.parametrize(
    'options', [{'quality': 95}, {'kind': 'png'}, {'kind': 'bmp'}], ids=['jpeg', 'png', 'bmp']
)
def test_crops_of_the_copy_show_the_same_at_the_same_places(source, tmp_path, options):
    out = tmp_path / 'out'
    run(source, out, side=80, **options)
    for old, new in zip(
        instances(source / 'unified.json'), instances(out / 'annotations/unified.json'), strict=True
    ):
        crop_side = float(center_and_scale(new.box)[1][0]) * 200
        assert 79 < crop_side < 82
        for zoom, rotation in ((1, 0), (1.15, 30), (0.85, -30)):
            before = crop(source / 'images', old, zoom=zoom, rotation=rotation).astype(int)
            after = crop(out / 'images', new, zoom=zoom, rotation=rotation)
            assert np.abs(before - after).mean() < 2.5
        places = [(x.keypoints[x.visible] - x.box[:2]) / x.box[2] for x in (old, new)]
        np.testing.assert_allclose(*places, atol=0.01)
        assert new.visible.tolist() == [True, False, True]
        assert new.keypoints[1].tolist() == [0, 0]


def test_an_object_of_which_a_sliver_is_inside_its_image_stays_one(source, tmp_path):
    content = json.loads((source / 'unified.json').read_text())
    content['annotations'][0]['bbox'] = [WIDTH - 1.3, *BOX[1:]]
    content['annotations'][1]['bbox'] = [BOX[0], HEIGHT - 1.3, *BOX[2:]]
    (source / 'unified.json').write_text(json.dumps(content))
    run(source, tmp_path / 'out', side=80)
    before, after = (
        instances(file)
        for file in (source / 'unified.json', tmp_path / 'out/annotations/unified.json')
    )
    assert [one.index for one in after] == [one.index for one in before]
    assert after[0].box[2] < 1 < 30 < after[0].box[3]


def test_what_is_only_cut_without_loss_has_the_same_crops(source, tmp_path):
    report = run(source, tmp_path / 'out', side=1000, kind='png')
    assert report['shrunk'] == 0 and report['as_they_are'] == 1
    assert report['pixels'][1] < report['pixels'][0] / 2
    for old, new in zip(
        instances(source / 'unified.json'),
        instances(tmp_path / 'out/annotations/unified.json'),
        strict=True,
    ):
        for view in ({}, {'zoom': 1.15, 'rotation': 30}, {'zoom': 1.15, 'rotation': -30}):
            before, after = (
                crop(source / 'images', old, **view),
                crop(tmp_path / 'out/images', new, **view),
            )
            # A sample's place is rounded to 1/32 pixel, which may fall otherwise.
            assert np.abs(before.astype(int) - after).max() <= 2
    whole = 'a/tiny.jpg'
    assert (source / 'images' / whole).read_bytes() == (
        tmp_path / 'out/images' / whole
    ).read_bytes()


def test_check_finds_the_copy_sound(source, tmp_path):
    report = run(source, tmp_path / 'out', side=80)
    assert '4 images: 4 shrunk' in format_report(report)
    report, _ = check(
        tmp_path / 'out/annotations/unified.json', tmp_path / 'out/images', num_queries=3
    )
    assert all_run(report)
    outline = json.loads((tmp_path / 'out/annotations/unified.json').read_text())['annotations'][0]
    assert len(outline['segmentation'][0]) == 6 and outline['segmentation'][0][0] < 60


def test_what_is_done_is_not_done_again_and_what_is_half_done_is(source, tmp_path):
    out = tmp_path / 'out'
    run(source, out, side=80)
    files = {path: path.read_bytes() for path in sorted(out.rglob('*.*'))}
    kept, lost, half = [path for path in files if path.suffix in ('.jpg', '.png')][:3]
    time = kept.stat().st_mtime_ns
    lost.unlink()
    half.write_bytes(files[half][:10])
    (out / 'images/a/.unfinished-1.jpg').write_bytes(b'')
    run(source, out, side=80)
    assert {path: path.read_bytes() for path in sorted(out.rglob('*.*'))} == files
    assert kept.stat().st_mtime_ns == time
    with pytest.raises(InputError, match="holds a copy made with .*'side': 80.*: name another"):
        run(source, out, side=90)


def test_a_copy_of_other_annotations_is_not_gone_on_with(source, tmp_path):
    run(source, tmp_path / 'out', side=80)
    content = json.loads((source / 'unified.json').read_text())
    content['annotations'][0]['bbox'][0] += 10  # the region moves, and its size stays
    (source / 'unified.json').write_text(json.dumps(content))
    with pytest.raises(InputError, match='follows from the annotations.*: name another'):
        run(source, tmp_path / 'out', side=80)


def test_broken_images_are_named_and_the_others_done(source, tmp_path):
    broken = source / 'images/a/0.jpg'
    broken.write_bytes(broken.read_bytes()[:-500])
    with pytest.raises(InputError, match='1 images .* a/0.jpg is unreadable.*--write-usable'):
        run(source, tmp_path / 'out')
    assert len([*(tmp_path / 'out/images').rglob('*.jpg')]) == 3  # one of them was a PNG
    assert not (tmp_path / 'out/annotations').exists()


def test_the_images_themselves_are_never_written_to(source, tmp_path):
    shutil.move(source / 'unified.json', tmp_path / 'unified.json')
    with pytest.raises(InputError, match='name another folder'):
        shrink(tmp_path / 'unified.json', source / 'images', source)
    with pytest.raises(InputError, match='holds something else'):
        shrink(tmp_path / 'unified.json', source / 'images', tmp_path)


def test_a_dry_run_tells_the_pixels_and_writes_nothing(source, tmp_path):
    report = run(source, tmp_path / 'out', side=80, dry_run=True)
    assert report['pixels'][0] > 10 * report['pixels'][1]
    assert not (tmp_path / 'out').exists()
