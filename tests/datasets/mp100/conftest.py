import json

import pytest

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
