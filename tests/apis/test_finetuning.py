"""A few annotated pictures become a training that starts from a checkpoint."""

import json

import pytest

from fmmp.apis import init_model, train
from fmmp.apis.data import build_dataset
from fmmp.apis.finetuning import finetuning_config
from fmmp.apis.starter import starter_config
from fmmp.checkpoints import save_atomically
from fmmp.errors import InputError
from tests.tiny import tiny_config


@pytest.fixture
def pictures(small_dataset):
    """Three pictures of a category, each with its keypoint file beside it."""
    content = json.loads((small_dataset / 'unified.json').read_text())
    paths = []
    for annotation, image in zip(content['annotations'][:3], content['images'], strict=False):
        paths.append(small_dataset / 'images' / image['file_name'])
        file = {**annotation, 'skeleton': content['categories'][0]['skeleton']}
        paths[-1].with_suffix('.json').write_text(json.dumps(file))
    return paths


def test_a_checkpoint_is_trained_further_on_the_pictures(small_dataset, pictures, tmp_path):
    config = tiny_config(small_dataset)
    config.data.val = None
    config.data.train.skeleton_base = 'mp100'  # of another file than the pictures'
    start = tmp_path / 'start.pth'
    save_atomically(init_model(config).state_dict(), start)
    tuned = finetuning_config(config, start, pictures, tmp_path / 'tuned', 1, 1e-3)
    tuned.data.train.num_episodes = 4
    train(tuned, seed=0, validate=False)
    before, after = (init_model(config, path) for path in (start, tmp_path / 'tuned/latest.pth'))
    change = before.backbone.conv1.weight - after.backbone.conv1.weight
    assert 0 < change.abs().max() < 0.02  # a few steps of that rate away
    assert config.get('load_from') is None  # as it was
    written = json.loads((tmp_path / 'tuned/pictures.json').read_text())
    assert [image['file_name'] for image in written['images']] == [path.name for path in pictures]
    links = build_dataset(tuned, 'train').categories[1].skeleton
    assert [*map(tuple, links)] == [*map(tuple, written['categories'][0]['skeleton'])]
    with pytest.raises(InputError, match='tuned holds epoch_1.pth of another training'):
        finetuning_config(config, start, pictures, tmp_path / 'tuned')


def test_too_few_pictures_or_those_of_several_categories_are_refused(
    small_dataset, pictures, tmp_path
):
    config = tiny_config(small_dataset)
    with pytest.raises(InputError, match='1 pictures: an episode takes 2 at least'):
        finetuning_config(config, 'x.pth', pictures[:1], tmp_path)
    file = pictures[1].with_suffix('.json')
    content = json.loads(file.read_text())
    file.write_text(json.dumps({**content, 'skeleton': [[0, 2]]}))
    with pytest.raises(InputError, match='differ in their number of keypoints or their skeleton'):
        finetuning_config(config, 'x.pth', pictures, tmp_path / 'none')
    assert not (tmp_path / 'none').exists()


def test_the_starter_is_not_fine_tuned_and_the_message_says_what_to_do(
    small_dataset, pictures, tmp_path
):
    for config, checkpoint in (
        (tiny_config(small_dataset), 'starter'),
        (starter_config(tiny_config(small_dataset)), 'x.pth'),
    ):
        with pytest.raises(InputError, match=r'is not fine-tuned: .* as shots, .* or fine-tune'):
            finetuning_config(config, checkpoint, pictures, tmp_path / 'none')
    assert not (tmp_path / 'none').exists()
