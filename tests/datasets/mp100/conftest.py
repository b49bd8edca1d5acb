import json

import cv2
import numpy as np
import pytest
from fmmp.datasets.mp100.local_copies import LocalCopy
from fmmp.datasets.mp100.unify import find_annotation_files, unify

SPLIT = {'train': (1, 2), 'val': (3,), 'test': (4,)}


def part(content, categories):
    """The part of a unified file that a split file would hold, its skeletons counted from 1."""
    annotations = [x for x in content['annotations'] if x['category_id'] in categories]
    images = {x['image_id'] for x in annotations}
    return {
        'images': [x for x in content['images'] if x['id'] in images],
        'annotations': annotations,
        'categories': [
            {**x, 'skeleton': [[i + 1, j + 1] for i, j in x['skeleton']]}
            for x in content['categories']
            if x['id'] in categories
        ],
    }


@pytest.fixture
def clean(small_dataset):
    """The content of the small data set's unified file."""
    return json.loads((small_dataset / 'unified.json').read_text())


@pytest.fixture
def split_files(small_dataset, clean):
    """A folder with the small data set in three split files."""
    folder = small_dataset / 'splits'
    folder.mkdir()
    for subset, categories in SPLIT.items():
        file = folder / f'mp100_split1_{subset}.json'
        file.write_text(json.dumps(part(clean, categories)))
    return folder


@pytest.fixture
def plant(split_files):
    """Plant a defect: change the content of a split file in place."""

    def apply(subset, change):
        file = split_files / f'mp100_split1_{subset}.json'
        content = json.loads(file.read_text())
        change(content)
        file.write_text(json.dumps(content))
        return file

    return apply


CHAIN = [[1, 2], [2, 3], [3, 4]]  # counted from 1
# id: subset of split 1, name, images, number of keypoints, links
OF_MP100 = {
    18: ('train', 'face', 'amur_tiger_body/flickr/0/image{}.jpg', 5, []),
    40: ('train', 'face', 'human_face/helen/trainset/{}_1.jpg', 6, []),
    80: ('train', 'hand', None, 4, CHAIN),
    32: ('train', 'car', 'car/15008012{}.jpg', 4, [[0, 1], [1, 2], [2, 3]]),
    66: ('val', 'fly', 'fly_body/{}.jpg', 4, CHAIN),
    14: ('test', 'Woodpecker', 'woodpecker_body/Downy_Woodpecker_{}.jpg', 4, []),
    84: ('test', 'bed', 'bed/{}.jpg', 4, []),
}


def in_mp100s_form():
    """The contents of split 1's three files, made up, with the oddities of MP-100's own.

    Names that are no folders and two that are one; faces without a list of keypoints; boxes of
    negative size and outside the image; 2.0 beside 2; an instance of two labelled keypoints; links
    from 1 and from 0; a category without an annotation. Four images a category, an instance each.
    """
    files = {x: {'images': [], 'annotations': [], 'categories': []} for x in SPLIT}
    for id_, (subset, name, images, count, links) in OF_MP100.items():
        content = files[subset]
        category = {'supercategory': 'thing', 'id': id_, 'name': name, 'skeleton': links}
        if name != 'face':
            category['keypoints'] = [f'k{i}' for i in range(count)]
        content['categories'].append(category)
        for number in range(4 if images else 0):
            points = [[10 + 9 * i + number, 10 + (7 * i) % 23, 2] for i in range(count)]
            content['images'].append(
                {'id': 10 * id_ + number, 'file_name': images.format(number), 'width': 80}
                | {'height': 64}
            )
            content['annotations'].append(
                {
                    'id': 10 * id_ + number,
                    'image_id': 10 * id_ + number,
                    'category_id': id_,
                    'bbox': [8.0 + number / 4, 8.0 + id_ / 50, 60.0, 40.0],
                    'area': 2400.0,
                    'iscrowd': 0,
                    'keypoints': [value for point in points for value in point],
                    'num_keypoints': count,
                }
            )
    by_id = {x['id']: x for content in files.values() for x in content['annotations']}
    by_id[181]['bbox'] = [30.5, 40.0, -4.0, -6.0]
    by_id[401]['keypoints'][2::3] = [2.0, 2, 1, 1, 0, 2]
    by_id[321].update(num_keypoints=2, segmentation=[[1, 2, 3.0, 4]])
    by_id[321]['keypoints'][2::3] = [1, 2, 0, 0]
    by_id[660]['bbox'] = [-3.25, 8.0, 90.5, 40.0]
    return files


@pytest.fixture
def mp100_files(tmp_path):
    """A folder with made-up files of MP-100's split 1 in its own form; `images` lies beside."""
    folder = tmp_path / 'mp100/annotations'
    folder.mkdir(parents=True)
    for subset, content in in_mp100s_form().items():
        (folder / f'mp100_split1_{subset}.json').write_text(json.dumps(content))
        for image in content['images']:
            path = folder.parent / 'images' / image['file_name']
            path.parent.mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(path), np.full((image['height'], image['width'], 3), 99, np.uint8))
    return folder


@pytest.fixture
def mp100_unified(mp100_files):
    """The unified file of `mp100_files`, with links for all."""
    content, _ = unify(find_annotation_files(mp100_files), infer=True)
    file = mp100_files / 'unified.json'
    file.write_text(json.dumps(content))
    return file


@pytest.fixture
def local(tmp_path):
    """Write images, empty files here, and return the local copy of a source."""

    def apply(name, *images, annotations=()):
        folder = tmp_path / 'sources' / name
        folder.mkdir(parents=True)
        for image in images:
            (folder / image).parent.mkdir(parents=True, exist_ok=True)
            (folder / image).write_text(image)
        return {name: LocalCopy(folder, tuple(annotations))}

    return apply


@pytest.fixture
def annotate(tmp_path):
    """Write an annotation file with one object on each image, its box counting from 0."""

    def apply(*names, name='unified.json', box=lambda number: [number, 0, 9.004, 9]):
        images = [
            {'id': number, 'file_name': path, 'width': 20, 'height': 20}
            for number, path in enumerate(names)
        ]
        annotations = [
            {
                'id': number,
                'image_id': number,
                'category_id': 1,
                'bbox': box(number),
                'num_keypoints': 3,
                'segmentation': [[1, 2, 3.0, 4]],
            }
            for number in range(len(names))
        ]
        content = {'images': images, 'annotations': annotations, 'categories': []}
        (tmp_path / name).write_text(json.dumps(content))
        return tmp_path / name

    return apply
