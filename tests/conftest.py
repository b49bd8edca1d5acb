import json
import os
import shutil
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import pytest

# Before torch is imported: OpenMP's threads shall sleep, not spin, while they wait for each other.
# On busy cores the tests of whole models then take a third of the time.
os.environ.setdefault('OMP_WAIT_POLICY', 'passive')
if 'PYTEST_XDIST_WORKER' in os.environ:  # each core has a process of its own
    os.environ.setdefault('OMP_NUM_THREADS', '1')


def write_dataset(root: Path, num_categories: int = 4, num_instances: int = 4) -> Path:
    """Write a small data set in MP-100's form: `unified.json` and `images/` under `root`.

    Category c (ids from 1) is named `category_c`, has c + 3 keypoints on a chain of links, and
    `num_instances` instances, each on an image of its own. The content is always the same.
    """
    random = np.random.RandomState(0)
    width, height = 80, 64
    images, annotations, categories = [], [], []
    for category in range(1, num_categories + 1):
        name, count = f'category_{category}', category + 3
        categories.append(
            {
                'id': category,
                'name': name,
                'supercategory': 'shape',
                'keypoints': [f'k{i}' for i in range(count)],
                'skeleton': [[i, i + 1] for i in range(count - 1)],
            }
        )
        (root / 'images' / name).mkdir(parents=True)
        for number in range(num_instances):
            id_ = len(images) + 1
            file_name = f'{name}/{number}.jpg'
            pixels = random.randint(0, 256, (8, 10, 3)).astype(np.uint8)
            cv2.imwrite(str(root / 'images' / file_name), cv2.resize(pixels, (width, height)))
            images.append({'id': id_, 'file_name': file_name, 'width': width, 'height': height})
            x, y = random.randint(2, 20, 2).tolist()
            w, h = random.randint(30, 40, 2).tolist()
            points = random.randint((x, y), (x + w, y + h), (count, 2)).tolist()
            annotations.append(
                {
                    'id': id_,
                    'image_id': id_,
                    'category_id': category,
                    'bbox': [x, y, w, h],
                    'area': w * h,
                    'iscrowd': 0,
                    'keypoints': [value for px, py in points for value in (px, py, 2)],
                    'num_keypoints': count,
                }
            )
    content = {'images': images, 'annotations': annotations, 'categories': categories}
    (root / 'unified.json').write_text(json.dumps(content))
    return root


@pytest.fixture(scope='session', autouse=True)
def no_waiting():
    """MMCV's runner sleeps a second when it ends, and lays a config's text out for as long."""
    sleep = time.sleep
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(time, 'sleep', lambda seconds: sleep(seconds if seconds < 1 else 0))
        if 'mmcv' in sys.modules:
            patch.setattr('mmcv.utils.config.FormatCode', lambda text, **_: (text, True))
        yield


@pytest.fixture(scope='session')
def make_dataset():
    """The function `write_dataset`."""
    return write_dataset


@pytest.fixture
def small_dataset(tmp_path):
    """The folder of a small data set: `unified.json` and `images/` (see `write_dataset`)."""
    return write_dataset(tmp_path / 'small')


@pytest.fixture(scope='session')
def golden():
    """Read a file of recorded numbers from tests/data."""
    return lambda name: json.loads((Path(__file__).parent / 'data' / name).read_text())


@pytest.fixture(scope='session')
def compiler():
    path = shutil.which(os.environ.get('CXX', 'c++').split()[0])
    if path is None:
        pytest.skip('there is no C++ compiler')
    return path
