import cv2
import numpy as np
import pytest

from fmmp.visualization import (
    contact_sheet,
    draw_episode,
    draw_pose,
    draw_prediction,
    save_image,
)

GREY = 128


def blank(size=256):
    return np.full((size, size, 3), GREY, np.uint8)


def drawn_at(image, point, reach=3):
    """Whether anything was drawn around a point of a grey picture."""
    x, y = np.round(point).astype(int)
    return bool((image[y - reach : y + reach + 1, x - reach : x + reach + 1] != GREY).any())


RIGHT = np.array([1.0, 0.0])
SQUARE = np.array([[60.0, 60.0], [190.0, 60.0], [190.0, 190.0], [60.0, 190.0]])


@pytest.mark.parametrize('size', [64, 256, 1500])
def test_every_visible_keypoint_is_marked_at_any_size(size):
    points = SQUARE * size / 256
    picture = draw_pose(blank(size), points, np.array([1, 1, 0, 1]))
    assert [drawn_at(picture, point) for point in points] == [True, True, False, True]


def test_markers_are_larger_in_larger_pictures_and_small_in_small_ones():
    areas = {
        size: (draw_pose(blank(size), SQUARE * size / 256) != GREY).any(-1).sum()
        for size in (64, 1024)
    }
    assert areas[1024] > 4 * areas[64]
    assert areas[64] < 0.2 * 64**2


def test_a_link_is_drawn_between_visible_keypoints_only():
    middle = SQUARE[:2].mean(0)
    assert drawn_at(draw_pose(blank(), SQUARE, None, [(0, 1)]), middle)
    assert not drawn_at(draw_pose(blank(), SQUARE, np.array([1, 0, 1, 1]), [(0, 1)]), middle)


def test_the_picture_given_is_left_as_it_is():
    picture = blank()
    draw_pose(picture, SQUARE)
    draw_prediction(picture, SQUARE, SQUARE + 9)
    assert (picture == GREY).all()


def test_keypoints_outside_the_picture_or_not_finite_do_no_harm():
    points = np.array([[-1e9, 5], [np.nan, 5], [np.inf, 1], [128, 128]])
    picture = draw_pose(blank(), points, None, [(0, 3), (1, 3)])
    assert drawn_at(picture, points[3])


def test_an_error_is_a_line_from_the_truth_to_the_prediction():
    truth = SQUARE[:1]
    picture = draw_prediction(blank(), truth + RIGHT * 80, truth)
    assert drawn_at(picture, truth[0] + RIGHT * 40)


def test_a_miss_looks_different_from_a_hit():
    prediction = SQUARE + RIGHT * 20
    hit = draw_prediction(blank(), prediction, SQUARE, tolerance=30)
    miss = draw_prediction(blank(), prediction, SQUARE, tolerance=10)
    assert (hit != miss).any()


def test_ground_truth_is_hollow():
    truth = SQUARE[:1]
    picture = draw_prediction(blank(), truth + RIGHT * 80, truth, predicted=np.array([False]))
    assert (picture[60, 60] == GREY).all() and drawn_at(picture, truth[0], reach=8)


@pytest.mark.parametrize('shots', [1, 5])
@pytest.mark.parametrize('panel_size', [64, 384])
def test_an_episode_shows_its_supports_and_query_side_by_side(shots, panel_size):
    picture = draw_episode(
        [blank()] * shots, [SQUARE] * shots, blank(90), SQUARE / 3, panel_size=panel_size
    )
    assert picture.dtype == np.uint8
    assert (shots + 1) * panel_size <= picture.shape[1] < (shots + 1) * (panel_size + 16)


def caption_of(monkeypatch, **query):
    written = []
    monkeypatch.setattr(cv2, 'putText', lambda image, text, *rest: written.append(text))
    draw_episode([blank()], [SQUARE], blank(), **query)
    return next(text for text in written if 'PCK' in text)


def test_the_score_counts_errors_below_a_fifth_of_the_boxs_longer_side(monkeypatch):
    prediction = SQUARE + np.array([[0, 0], [19, 0], [21, 0], [0, 50]])
    caption = caption_of(
        monkeypatch, prediction=prediction, ground_truth=SQUARE, query_box=(60, 60, 100, 80)
    )
    assert '50' in caption and '2/4' in caption


def test_the_score_leaves_out_keypoints_that_a_support_or_the_query_lacks(monkeypatch):
    caption = caption_of(
        monkeypatch,
        prediction=SQUARE,
        ground_truth=SQUARE,
        visible=np.array([1, 1, 1, 0]),
        support_visible=[np.array([0, 1, 1, 1])],
        query_box=(60, 60, 100, 80),
    )
    assert '2/2' in caption


def test_a_contact_sheet_holds_panels_of_several_sizes_row_by_row():
    panels = [np.full((20, 30, 3), 10 * n, np.uint8) for n in range(1, 4)]
    panels[2] = panels[2][:10]
    sheet = contact_sheet(panels, columns=2, gap=4)
    assert sheet.shape == (2 * 24 + 4, 2 * 34 + 4, 3)
    assert sheet[14, 19, 0] == 10 and sheet[14, 53, 0] == 20 and sheet[38, 19, 0] == 30
    assert sheet[38, 53, 0] == 255


def test_an_empty_contact_sheet_is_refused():
    with pytest.raises(ValueError, match='at least one'):
        contact_sheet([], 3)


def test_a_saved_png_reads_back_as_it_was(tmp_path):
    picture = np.arange(48, dtype=np.uint8).reshape(4, 4, 3)
    save_image(tmp_path / 'new' / 'a.png', picture)
    assert (cv2.imread(str(tmp_path / 'new' / 'a.png'))[..., ::-1] == picture).all()
    assert [path.name for path in (tmp_path / 'new').iterdir()] == ['a.png']


def test_a_picture_is_saved_as_png_or_jpeg_only(tmp_path):
    with pytest.raises(ValueError, match=r'a\.tiff'):
        save_image(tmp_path / 'a.tiff', blank())


@pytest.mark.parametrize(
    ('image', 'keypoints', 'visible', 'message'),
    [
        (blank().astype(float), SQUARE, None, 'uint8'),
        (blank()[..., 0], SQUARE, None, 'H, W, 3'),
        (blank(), SQUARE[:, :1], None, 'K, 2'),
        (blank(), SQUARE, np.ones(3), r'\(4,\)'),
    ],
)
def test_an_array_of_the_wrong_form_is_refused(image, keypoints, visible, message):
    with pytest.raises(ValueError, match=message):
        draw_pose(image, keypoints, visible)
