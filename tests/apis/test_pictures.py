import cv2
import numpy as np
import pytest

from fmmp.apis import init_model, save_pictures
from fmmp.apis import test as evaluate
from fmmp.apis.data import build_dataset
from fmmp.apis.pictures import draw_pair, save_worst
from fmmp.checkpoints import save_atomically
from tests.tiny import tiny_config


@pytest.mark.parametrize(('episodes', 'pictures'), [(2, 2), (5, 3)])
def test_every_category_has_pictures_and_the_sheet_shows_them_all(
    small_dataset, tmp_path, episodes, pictures
):
    config = tiny_config(small_dataset)
    config.data.test.num_episodes = episodes
    checkpoint = tmp_path / 'checkpoint.pth'
    save_atomically(init_model(config).state_dict(), checkpoint)
    sheet = save_pictures(config, evaluate(config, checkpoint), tmp_path / 'pictures')
    for category in range(1, 5):
        made = list(sheet.parent.glob(f'category_{category}_*.jpg'))
        assert len(made) == pictures
    height, width = cv2.imread(str(made[0])).shape[:2]
    assert width > 2 * 384 and height > 384
    height, width = cv2.imread(str(sheet)).shape[:2]
    assert width > pictures * 2 * 192 and height > 4 * 192


def test_the_worst_pair_of_each_category_is_drawn(small_dataset, tmp_path):
    dataset = build_dataset(tiny_config(small_dataset), 'test')
    scores = np.linspace(0, 1, len(dataset.pairs)).tolist()  # the first pair is the worst
    report = {
        'pairs': dataset.pairs,
        'predictions': [dataset.instances[pair[-1]].keypoints.tolist() for pair in dataset.pairs],
        'pair_scores': {'mPCK': scores, 'NME': scores},
    }
    save_worst(dataset, report, tmp_path / 'worst.png')
    first = draw_pair(dataset, report, 0, 192)
    height, width = first.shape[:2]
    sheet = cv2.imread(str(tmp_path / 'worst.png'))
    np.testing.assert_array_equal(sheet[8 : 8 + height, 8 : 8 + width, ::-1], first)
