import json

import cv2
import numpy as np
import pytest

from fmmp.apis import estimate, init_model, read_image, read_support
from fmmp.apis import test as evaluate
from fmmp.checkpoints import save_atomically
from tests.tiny import tiny_config


@pytest.fixture
def checkpoint(small_dataset, tmp_path):
    path = tmp_path / 'checkpoint.pth'
    save_atomically(init_model(tiny_config(small_dataset)).state_dict(), path)
    return path


@pytest.fixture
def annotated(small_dataset, tmp_path):
    """An image of a category, its annotation, and a keypoint file made of it."""

    def get(number):
        content = json.loads((small_dataset / 'unified.json').read_text())
        annotation = content['annotations'][number]
        keypoint_file = tmp_path / f'{number}.json'
        category = content['categories'][annotation['category_id'] - 1]
        keypoint_file.write_text(json.dumps({**annotation, 'skeleton': category['skeleton']}))
        return small_dataset / 'images' / content['images'][number]['file_name'], keypoint_file

    return get


def test_estimate_finds_what_the_evaluation_finds(small_dataset, checkpoint, annotated):
    config = tiny_config(small_dataset)
    report = evaluate(config, checkpoint)
    support, *queries = report['pairs'][0][0], *(pair[-1] for pair in report['pairs'][:2])
    images, files = zip(*map(annotated, queries), strict=True)
    found = estimate(
        init_model(config, checkpoint),
        [read_support(*annotated(support))],
        [read_image(image) for image in images],
        [json.loads(file.read_text())['bbox'] for file in files],
    )
    assert np.stack(found) == pytest.approx(np.array(report['predictions'][:2]), abs=1e-3)


def test_estimate_takes_several_supports_and_whole_images(small_dataset, annotated):
    model = init_model(tiny_config(small_dataset))
    supports = [read_support(*annotated(number)) for number in (0, 1)]
    (found,) = estimate(model, supports, [read_image(annotated(2)[0])])
    assert found.shape == supports[0].keypoints.shape
    assert np.isfinite(found).all()


def test_a_keypoint_file_lists_points_or_cocos_triples(annotated, tmp_path):
    image, coco = annotated(0)
    flat = np.reshape(json.loads(coco.read_text())['keypoints'], (-1, 3))
    points = [[float(x), float(y)] for x, y, _ in flat]
    points[1] = None
    listed = tmp_path / 'listed.json'
    listed.write_text(json.dumps({'keypoints': points, 'skeleton': [[0, 1]]}))
    support = read_support(image, listed)
    assert support.visible.tolist() == [True, False, True, True]
    assert support.keypoints[support.visible].tolist() == flat[[0, 2, 3], :2].tolist()
    assert support.box is None
    assert read_support(image, coco).keypoints.tolist() == flat[:, :2].tolist()


@pytest.mark.parametrize(
    ('content', 'message'),
    [
        ({'skeleton': [[0, 1]]}, "'keypoints'"),
        ({'keypoints': [[1, 2], [3, 4]], 'skeleton': [[1, 2]]}, 'does not exist'),
        ({'keypoints': [1, 2, 0, 3, 4, 0], 'skeleton': [[0, 1]]}, 'no keypoint is annotated'),
        ({'keypoints': [[1, np.nan], [3, 4]], 'skeleton': [[0, 1]]}, 'keypoint 0 .* finite'),
    ],
)
def test_a_keypoint_file_of_another_form_is_refused_by_name(annotated, tmp_path, content, message):
    keypoint_file = tmp_path / 'points.json'
    keypoint_file.write_text(json.dumps(content))
    with pytest.raises(ValueError, match=f'points.json.*{message}'):
        read_support(annotated(0)[0], keypoint_file)


def test_a_missing_image_is_named():
    with pytest.raises(FileNotFoundError, match=r'nowhere\.jpg'):
        read_image('nowhere.jpg')


@pytest.mark.parametrize('suffix', ['.jpg', '.png'])
def test_an_image_that_is_empty_or_cut_short_is_named(tmp_path, suffix):
    pixels = np.random.default_rng(0).integers(0, 256, (64, 80, 3), np.uint8)
    whole = cv2.imencode(suffix, pixels)[1].tobytes()
    for number, content in enumerate((b'', whole[: len(whole) // 2], b'no image')):
        path = tmp_path / f'{number}{suffix}'
        path.write_bytes(content)
        with pytest.raises(OSError, match=f'{number}{suffix}: not a readable image'):
            read_image(path)
