"""Pictures of an evaluation's predictions."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
from mmcv import Config

from fmmp.datasets.evaluation import TestEpisodes
from fmmp.visualization import contact_sheet, draw_episode, save_image

from .data import build_dataset
from .images import read_image

COUNT = 3  # pictures a category
PANEL_SIZE, SHEET_PANEL_SIZE = 384, 192  # pixels


def save_pictures(config: Config, report: dict, folder: str | Path) -> Path:
    """Draw three predictions of every test category: pictures, and a contact sheet of them all.

    Which ones depends on their number alone, never on their score: the first queries of three
    episodes evenly apart.

    Args:
        config: the config that was tested.
        report: what `fmmp.apis.test` returned for it.
        folder: for ``CATEGORY_PAIR.jpg``, with the pair's number, and ``contact_sheet.jpg``.

    Returns:
        The contact sheet's path.
    """
    dataset = build_dataset(config, 'test')
    count = min(COUNT, dataset.num_episodes)
    episodes = [number * dataset.num_episodes // count for number in range(count)]
    folder, thumbnails = Path(folder), []
    for position, category in enumerate(dataset.categories.values()):
        for episode in episodes:
            pair = (position * dataset.num_episodes + episode) * dataset.num_queries
            picture, thumbnail = (
                draw_pair(dataset, report, pair, size) for size in (PANEL_SIZE, SHEET_PANEL_SIZE)
            )
            name = re.sub(r'[^\w-]+', '_', category.name)
            save_image(folder / f'{name}_{pair}.jpg', picture)
            thumbnails.append(thumbnail)
    sheet = folder / 'contact_sheet.jpg'
    save_image(sheet, contact_sheet(thumbnails, columns=count))
    return sheet


def save_worst(dataset: TestEpisodes, report: dict, path: str | Path) -> None:
    """Draw the pair of every test category that scores least, by mPCK and then NME.

    Args:
        dataset: that was tested.
        report: what `fmmp.apis.test` returned for it.
        path: of the picture.
    """
    scores = report['pair_scores']
    of_category = np.arange(len(report['pairs'])).reshape(len(dataset.categories), -1)
    worst = [
        min(pairs, key=lambda pair: (scores['mPCK'][pair], -scores['NME'][pair]))
        for pairs in of_category.tolist()
    ]
    pictures = [draw_pair(dataset, report, pair, SHEET_PANEL_SIZE) for pair in worst]
    save_image(path, contact_sheet(pictures, columns=COUNT))


def draw_pair(dataset: TestEpisodes, report: dict, pair: int, panel_size: int) -> np.ndarray:
    """Draw a pair's supports, and its query as annotated and as predicted."""
    *supports, query = (dataset.instances[number] for number in report['pairs'][pair])
    images = [read_image(Path(dataset.img_prefix, one.image)) for one in (*supports, query)]
    category = dataset.categories[query.category_id]
    return draw_episode(
        images[:-1],
        [support.keypoints for support in supports],
        images[-1],
        np.array(report['predictions'][pair]),
        query.keypoints,
        support_visible=[support.visible for support in supports],
        visible=query.visible,
        support_boxes=[support.box for support in supports],
        query_box=query.box,
        skeleton=category.skeleton,
        title=category.name,
        panel_size=panel_size,
    )
