"""Files as the tools write them. Those of labelme, of Label Studio 1.23 and of its converter are
their own work, on beetles; the others follow what the tools' exports look like.
"""

import json
from pathlib import Path

import numpy as np
import pytest
import yaml
from fmmp.datasets.mp100.convert import convert
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from fmmp.apis.images import read_image
from fmmp.errors import InputError
from fmmp.formats import Labelled, Labels, read, write
from fmmp.formats.label_studio import config_of, image_path, parse_config
from fmmp.formats.labels import image_size
from fmmp.formats.ultralytics import flip_index

from .beetles import NAMES, POINTS, SIZE, beetles, save_images

FILES = Path(__file__).resolve().parent.parent / 'data' / 'formats'
COCO_PERSON = (
    'nose left_eye right_eye left_ear right_ear left_shoulder right_shoulder left_elbow '
    'right_elbow left_wrist right_wrist left_hip right_hip left_knee right_knee left_ankle '
    'right_ankle'
).split()


def test_files_that_labelme_saved_are_read():
    labels = read(FILES / 'labelme')
    assert (labels.category, list(labels.names)) == ('beetle', NAMES)
    one, two = labels.items
    assert (one.image, one.size, one.box) == ('one.png', SIZE, (10, 5, 110, 80))
    assert one.visible.tolist() == [2, 1, 2, 0]
    np.testing.assert_allclose(one.keypoints[:3], POINTS[:3])
    assert (two.image, two.box, two.visible.tolist()) == ('two.png', None, [2, 2, 2, 2])
    np.testing.assert_allclose(two.keypoints[3], (56, 11))


def test_a_coco_file_that_label_studios_converter_wrote_is_read():
    labels = read(FILES / 'label_studio_converter.json')
    assert list(labels.names) == NAMES
    one, two = labels.items
    assert one.keypoints.astype(int).tolist() == [[20, 30], [100, 40], [50, 70], [0, 0]]
    assert two.visible.tolist() == [2, 2, 2, 2]


def test_an_export_of_label_studio_is_read():
    labels = read(FILES / 'label_studio_1_23.json')
    assert (labels.category, list(labels.names)) == ('beetle', NAMES)
    annotated, corrected = labels.items
    assert (annotated.image, annotated.size, annotated.box) == ('p0.png', (200, 240), None)
    np.testing.assert_allclose(annotated.keypoints, [(60, 60), (180, 140), (60, 150), (180, 50)])
    assert corrected.image == 'p1.png'
    assert corrected.box is not None
    assert corrected.visible.tolist() == [2, 2, 2, 2]


def test_a_label_studio_export_gives_the_newest_annotation_or_the_prediction():
    labels = read(FILES / 'label_studio_export.json')
    assert labels.category == 'beetle'
    one, two = labels.items
    assert list(labels.names) == ['tail', 'head']  # no configuration: as they appear
    assert (one.image, one.size) == ('beetles/one a.png', SIZE)
    np.testing.assert_allclose(one.box, (10, 5, 110, 80))
    np.testing.assert_allclose(one.keypoints, [(100, 40), (20, 30)])
    assert one.confidence is None
    assert (two.image, two.visible.tolist(), two.confidence[1]) == ('3/two.png', [0, 2], 0.5)


def test_label_studios_configuration_gives_order_and_links(tmp_path):
    (tmp_path / 'c.xml').write_text(
        '<View><Image name="img" value="$image"/><RectangleLabels name="rect" toName="img">'
        '<Label value="beetle"/></RectangleLabels><KeyPointLabels name="kp" toName="img" '
        'skeleton="0-1"><Label value="tail" model_index="1"/><Label value="head" '
        'model_index="0" background="red"/></KeyPointLabels></View>'
    )
    labels = read(FILES / 'label_studio_export.json', config=tmp_path / 'c.xml')
    assert list(labels.names) == ['head', 'tail']
    assert list(labels.skeleton) == [(0, 1)]
    np.testing.assert_allclose(labels.items[0].keypoints, [(20, 30), (100, 40)])


def test_a_label_studio_rectangle_that_is_turned_gives_the_upright_box_around_it():
    result = json.loads((FILES / 'label_studio_export.json').read_text())[0]['annotations'][1]
    rectangle = result['result'][0]
    rectangle['value'] |= {'x': 50, 'y': 50, 'width': 25, 'height': 25, 'rotation': 90}
    from fmmp.formats.label_studio import read_results

    ((_, _, box, _),) = read_results(result['result'])
    np.testing.assert_allclose(box, (80 - 30, 60, 30, 40), atol=1e-9)  # turned about 80, 60


@pytest.mark.parametrize(
    ('address', 'path'),
    [
        ('/data/local-files/?d=cats%2Fa%20b.jpg', 'cats/a b.jpg'),
        ('/data/local-files/?d=cats/100%25.jpg', 'cats/100%.jpg'),
        ('/data/local-files/?d=../../etc/passwd', '../../etc/passwd'),
        ('/data/upload/3/1f-a.jpg', '3/1f-a.jpg'),
        ('https://example.org/pictures/a%20b.jpg?size=3', 'pictures/a b.jpg'),
        ('s3://bucket/folder/a.jpg', 'folder/a.jpg'),
    ],
)
def test_label_studios_addresses_lead_to_paths(address, path):
    assert image_path(address) == path


def test_label_studios_configuration_comes_back():
    labels = beetles()
    config = parse_config(config_of(labels).decode())
    assert config.names == tuple(NAMES)
    assert config.categories == ('beetle',)
    assert list(config.skeleton) == labels.skeleton


def test_a_cvat_export_is_read():
    labels = read(FILES / 'cvat_export.xml')
    assert (labels.category, list(labels.names)) == ('beetle', ['head', 'tail'])
    assert labels.skeleton == [(0, 1)]  # the drawing's nodes 3 and 1, which it names
    (item,) = labels.items
    assert (item.image, item.size) == ('beetles/one.png', SIZE)
    assert item.visible.tolist() == [1, 0]
    assert item.keypoints.tolist() == [[20, 30], [0, 0]]


def test_a_multi_animal_file_of_deeplabcut_is_read(tmp_path):
    labels = read(FILES / 'deeplabcut_multi.csv')
    assert list(labels.names) == ['head', 'tail']  # the individual 'single' has no animal's parts
    assert [item.image for item in labels.items] == ['img003.png', 'img003.png', 'img017.png']
    assert [item.visible.tolist() for item in labels.items] == [[2, 2], [2, 0], [2, 2]]
    assert labels.items[1].keypoints.tolist() == [[11, 12], [0, 0]]


def test_predictions_of_deeplabcut_are_read():
    (item,) = read(FILES / 'deeplabcut_predicted.csv').items
    assert item.image == 'img003.png'
    assert item.confidence.tolist() == [0.99, 0.125]


@pytest.mark.parametrize('index', ['{}', 'labeled-data,v,{}'])
def test_blank_rows_of_a_deeplabcut_file_are_passed_over(index, tmp_path):
    commas = index.count(',') * ','
    head = f'scorer,{commas}s,s\nbodyparts,{commas}head,head\ncoords,{commas}x,y\n'
    one, two = (f'{index.format(name)},1,2\n' for name in ('a.png', 'b.png'))
    blank = f'{commas},,\n'
    path = tmp_path / 'x.csv'
    path.write_text(head + blank + one + blank + two + blank)
    assert [item.image for item in read(path).items] == ['a.png', 'b.png']
    path.write_text(head + one + f'{commas},3,4\n')  # a place, but in no image
    with pytest.raises(InputError, match='row 5: no image'):
        read(path)


def test_files_of_deeplabcut_are_as_it_wants_them(tmp_path):
    labels = Labels('ant', ['head', 'tail'])
    labels.items = [Labelled('img1.png', SIZE, [(20.5, 30), (1, 2)], [2, 0])]
    path = tmp_path / 'labeled-data' / 'film' / 'CollectedData_me.csv'
    write(labels, path, 'deeplabcut', scorer='me')
    assert path.read_text().splitlines() == [
        'scorer,,,me,me,me,me',
        'bodyparts,,,head,head,tail,tail',
        'coords,,,x,y,x,y',
        'labeled-data,film,img1.png,20.5,30.0,,',
    ]


def test_keypoints_of_ultralytics_are_flipped_as_in_its_own_file_for_coco():
    flipped = [0, 2, 1, 4, 3, 6, 5, 8, 7, 10, 9, 12, 11, 14, 13, 16, 15]
    assert flip_index(COCO_PERSON) == flipped


def test_left_and_right_are_told_in_many_spellings():
    assert flip_index(['L_Eye', 'R_Eye', 'tail']) == [1, 0, 2]
    assert flip_index(['eye.l', 'eye.r', 'leftEye', 'rightEye']) == [1, 0, 3, 2]
    assert flip_index(['left', 'upper left leg', 'rightmost']) == [0, 1, 2]


def test_an_ultralytics_set_without_visibilities_and_names_is_read(tmp_path):
    save_images(beetles(), tmp_path / 'images' / 'val')
    (tmp_path / 'labels/val/a').mkdir(parents=True)
    (tmp_path / 'labels/val/a/one.txt').write_text('1 0.5 0.5 1 1 0.25 0.5 0 0\n')
    content = {'path': '.', 'train': 'images/train', 'val': 'images/val', 'kpt_shape': [2, 2]}
    (tmp_path / 'x.yaml').write_text(yaml.safe_dump(content | {'names': ['ant', 'bee']}))
    labels = read(tmp_path)
    assert (labels.category, list(labels.names)) == ('bee', ['1', '2'])
    assert labels.items[0].keypoints.tolist() == [[40, 60], [0, 0]]
    assert labels.items[0].visible.tolist() == [2, 0]


def test_an_ultralytics_set_that_lists_its_images_is_read(tmp_path):
    save_images(beetles(), tmp_path / 'images' / 'all')
    (tmp_path / 'labels/all/a').mkdir(parents=True)
    (tmp_path / 'labels/all/a/one.txt').write_text('0 0.5 0.5 1 1 0.25 0.5\n')
    (tmp_path / 'labels/all/a/unlisted.txt').write_text('0 0.5 0.5 1 1 0.75 0.5\n')
    names = [item.image for item in beetles().items]
    (tmp_path / 'train.txt').write_text(''.join(f'./images/all/{name}\n' for name in names))
    content = {'train': 'train.txt', 'val': 'missing.txt', 'names': ['bee'], 'kpt_shape': [1, 2]}
    (tmp_path / 'data.yaml').write_text(yaml.safe_dump(content))
    (item,) = read(tmp_path).items
    assert (tmp_path / 'images' / item.image).is_file()
    assert item.keypoints.tolist() == [[40, 60]]


def test_each_class_of_an_ultralytics_set_has_its_own_keypoints(tmp_path):
    save_images(beetles(), tmp_path / 'images')
    (tmp_path / 'labels').mkdir()
    (tmp_path / 'labels/b.txt').write_text(
        ''.join(f'{number} 0.5 0.5 1 1 0.25 0.5 0.75 0.5\n' for number in range(3))
    )
    content = {'train': 'images', 'names': ['ant', 'table', 'bee'], 'kpt_shape': [2, 2]}
    content['kpt_names'] = {0: ['nose', 'tail'], 1: ['leg', 'back']}
    (tmp_path / 'data.yaml').write_text(yaml.safe_dump(content))
    names = {name: list(read(tmp_path, category=name).names) for name in content['names']}
    # a class without names of its own has the first one's
    assert names == {'ant': ['nose', 'tail'], 'table': ['leg', 'back'], 'bee': ['nose', 'tail']}


def test_an_ultralytics_class_with_too_few_names_is_told(tmp_path):
    content = {'names': ['ant', 'bee'], 'kpt_shape': [2, 2]}
    content['kpt_names'] = {0: ['nose', 'tail'], 1: ['leg']}
    (tmp_path / 'data.yaml').write_text(yaml.safe_dump(content))
    with pytest.raises(InputError, match='2 keypoints, but 1 names of class 1'):
        read(tmp_path)


def test_a_photograph_that_lies_on_its_side_has_the_size_that_it_is_seen_in(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new('L', (40, 30)).save(tmp_path / 'x.jpg', exif=exif)
    (tmp_path / 'CollectedData_x.csv').write_text(
        'scorer,,,s,s\nbodyparts,,,head,head\ncoords,,,x,y\nlabeled-data,v,x.jpg,1,2\n'
    )
    assert read(tmp_path / 'CollectedData_x.csv').items[0].size == (40, 30)


def png_with_exif_behind_its_pixels(path):
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new('L', (40, 30)).save(path, exif=exif)
    data = path.read_bytes()
    start, end, last = (data.index(name) - 4 for name in (b'eXIf', b'IDAT', b'IEND'))
    path.write_bytes(data[:start] + data[end:last] + data[start:end] + data[last:])


def test_an_image_whose_exif_comes_last_has_the_size_that_it_is_seen_in(tmp_path):
    png_with_exif_behind_its_pixels(tmp_path / 'x.png')
    assert image_size(tmp_path, 'x.png') == read_image(tmp_path / 'x.png').shape[:2] == (40, 30)


@pytest.mark.parametrize('name', ['x.jpg', 'x.png', 'x.webp'])
def test_an_image_that_only_xmp_would_turn_has_the_size_that_it_is_read_in(name, tmp_path):
    xmp = '<x:xmpmeta><rdf:Description tiff:Orientation="6"/></x:xmpmeta>'
    info = PngInfo()
    info.add_itxt('XML:com.adobe.xmp', xmp)
    Image.new('L', (40, 30)).save(tmp_path / name, xmp=xmp.encode(), pnginfo=info)
    assert image_size(tmp_path, name) == read_image(tmp_path / name).shape[:2] == (30, 40)


def test_a_coco_file_becomes_a_category_of_the_unified_form(tmp_path):
    labels = beetles()
    write(labels, tmp_path / 'beetles.json', 'coco')
    content, _, _ = convert([tmp_path / 'beetles.json'])
    (category,) = content['categories']
    assert (category['name'], category['keypoints']) == ('beetle', NAMES)
    assert category['skeleton'] == [[0, 1], [0, 2], [0, 3]]
    assert len(content['annotations']) == 3


def test_labelme_files_become_a_category_of_the_unified_form(tmp_path):
    labels = beetles()
    labels.items = labels.items[1:]  # both in one folder
    save_images(labels, tmp_path / 'beetle')
    write(labels, tmp_path / 'beetle', 'labelme')
    content, _, _ = convert([tmp_path / 'beetle'])
    assert content['categories'][0]['keypoints'] == NAMES
    assert len(content['annotations']) == 2


def test_a_sleap_file_of_a_film_is_read(tmp_path):
    sio = pytest.importorskip('sleap_io')
    skeleton = sio.Skeleton(['head', 'tail'], [('head', 'tail')], name='fly')
    film = sio.Video(
        filename='film.mp4',
        backend_metadata={'shape': (9, *SIZE, 1), 'grayscale': True, 'type': 'MediaVideo'},
        open_backend=False,
    )
    points, scores = np.array([[20.5, 30], [1, 2]]), np.array([0.5, 0.25])
    predicted, other = (
        sio.PredictedInstance.from_numpy(points, skeleton=skeleton, point_scores=scores)
        for _ in range(2)
    )
    mended = sio.Instance.from_numpy(np.array([[21.0, 30], [np.nan, np.nan]]), skeleton=skeleton)
    mended.from_predicted = predicted
    frames = [
        sio.LabeledFrame(film, 7, [predicted, mended]),
        sio.LabeledFrame(film, 8, [other]),
    ]
    sio.save_slp(sio.Labels(frames), str(tmp_path / 'x.slp'), verbose=False)

    labels = read(tmp_path / 'x.slp')
    first, second = labels.items
    assert (labels.category, labels.skeleton) == ('fly', [(0, 1)])
    assert (first.image, first.size, first.confidence) == ('film.mp4/7', SIZE, None)
    # SLEAP's (0, 0) is the center of the first pixel
    assert first.keypoints.tolist() == [[21.5, 30.5], [0, 0]]
    assert (second.image, second.confidence.tolist()) == ('film.mp4/8', [0.5, 0.25])


def test_sleap_io_reads_our_coco_and_sleap_files(tmp_path):
    sio = pytest.importorskip('sleap_io')
    labels = beetles()
    images = save_images(labels, tmp_path / 'images')
    write(labels, images / 'coco.json', 'coco')
    write(labels, tmp_path / 'x.slp', 'sleap', images=images)
    for content, corner in (
        (sio.load_coco(str(images / 'coco.json')), 0),
        (sio.load_slp(str(tmp_path / 'x.slp')), -0.5),  # from the center of the first pixel
    ):
        assert content.skeleton.node_names == NAMES
        assert content.skeleton.edge_inds == labels.skeleton
        found = [one.numpy() for frame in content for one in frame.instances]
        np.testing.assert_allclose(found[1], POINTS + 3 + corner, atol=1e-4)
    assert [Path(path).exists() for path in content.videos[0].filename] == [True, True]


def test_sleap_io_reads_our_files_of_deeplabcut(tmp_path):
    sio = pytest.importorskip('sleap_io')
    labels = Labels('ant', ['head', 'tail'])
    labels.items = [
        Labelled('img003.png', SIZE, [(20.5, 30), (1, 2)], [2, 0]),
        Labelled('img007.png', SIZE, [(21, 31), (3, 4)], [2, 2]),
        Labelled('img007.png', SIZE, [(41, 51), (5, 6)], [2, 2]),
    ]
    path = tmp_path / 'labeled-data' / 'film' / 'CollectedData_me.csv'
    save_images(labels, path.parent)
    write(labels, path, 'deeplabcut')
    content = sio.load_dlc(str(path))
    found = [one.numpy()[:, 0].tolist() for frame in content for one in frame.instances]
    np.testing.assert_equal(found, [[20.5, np.nan], [21, 3], [41, 5]])


def test_an_nwb_file_that_sleap_io_wrote_of_a_film_is_read(tmp_path):
    sio = pytest.importorskip('sleap_io')
    from sleap_io.io.video_reading import MediaVideo

    skeleton = sio.Skeleton(['head', 'tail'], [('head', 'tail')], name='fly')
    film = sio.Video(
        filename='film.mp4',
        backend=MediaVideo(filename='film.mp4'),
        backend_metadata={'shape': (9, *SIZE, 1)},
        open_backend=False,
    )
    pose = sio.Instance.from_numpy(np.array([[20.5, 30], [np.nan, np.nan]]), skeleton=skeleton)
    content = sio.Labels([sio.LabeledFrame(film, 7, [pose])])
    sio.save_nwb(content, str(tmp_path / 'x.nwb'), nwb_format='annotations')

    labels = read(tmp_path / 'x.nwb')
    assert (labels.category, list(labels.names), labels.skeleton) == (
        'fly',
        ['head', 'tail'],
        [(0, 1)],
    )
    assert labels.items[0].image == 'film.mp4/7'
    assert labels.items[0].keypoints.tolist() == [[20.5, 30], [0, 0]]


MISTAKES = {
    'no.json': ('{"shapes": 3}', 'shapes'),
    'cut.json': ('{"images": [', 'not JSON'),
    'other.json': ('{"a": 1}', 'no known format'),
    'number.json': ('7', 'no known format'),
    'tasks.json': ('[{"data": {"image": "x.png"}, "annotations": 5}]', 'task 0'),
    'results.json': ('[{"image_id": 1, "keypoints": []}]', 'annotations'),
    'entities.xml': (
        '<!DOCTYPE a [<!ENTITY b "bb"><!ENTITY c "&b;&b;">]><annotations>&c;</annotations>',
        'document type',
    ),
    'html.xml': ('<html></html>', 'html'),
    'cut.xml': ('<annotations>', 'XML'),
    'film.xml': ('<annotations><track/></annotations>', 'skeleton'),
    'plain.csv': ('a,b\n1,2\n', 'DeepLabCut'),
    'text.csv': ('scorer,s,s\nbodyparts,a,a\ncoords,x,y\nx.png,one,2\n', 'row 4'),
    'short.csv': ('scorer,s,s\nbodyparts,a,a\ncoords,x,y\nx.png,1\n', 'row 4'),
    'list.yaml': ('- 1', 'mapping'),
    'names.yaml': ('names: {0: cat}', 'kpt_shape'),
    'code.yaml': ('!!python/object/apply:os.getcwd []', 'YAML'),
    'what.txt': ('', 'no known format'),
    'nan.json': (
        '{"shapes": [{"label": "a", "shape_type": "point", "points": [[NaN, 1]]}], '
        '"imagePath": "x.png", "imageHeight": 3, "imageWidth": 3}',
        'finite',
    ),
    'group.json': (
        '{"shapes": [{"label": "a", "group_id": [], "shape_type": "point", "points": [[1, 1]]}]}',
        'no label and points',
    ),
}


@pytest.mark.parametrize('name', MISTAKES)
def test_a_mistake_in_a_file_is_told_with_its_name(name, tmp_path):
    text, words = MISTAKES[name]
    (tmp_path / name).write_text(text)
    with pytest.raises(InputError, match=words) as error:
        read(tmp_path / name)
    assert name in str(error.value)


def test_binary_rubbish_is_told_for_what_it_is(tmp_path):
    for name in ('x.json', 'x.xml', 'x.csv', 'x.yaml', 'x.slp', 'x.nwb'):
        (tmp_path / name).write_bytes(bytes(range(256)))
        with pytest.raises(InputError, match=name):
            read(tmp_path / name)


def test_one_of_several_categories_must_be_named(tmp_path):
    write(beetles(), tmp_path / 'x.json', 'coco')
    content = json.loads((tmp_path / 'x.json').read_text())
    content['categories'].append({**content['categories'][0], 'id': 2, 'name': 'bee'})
    content['annotations'][0]['category_id'] = 2
    (tmp_path / 'x.json').write_text(json.dumps(content))
    with pytest.raises(InputError, match='several categories: name one of beetle, bee'):
        read(tmp_path / 'x.json')
    assert len(read(tmp_path / 'x.json', category='bee').items) == 1
    with pytest.raises(InputError, match='did you mean beetle'):
        read(tmp_path / 'x.json', category='beatle')


def test_an_option_that_a_format_does_not_have_is_refused(tmp_path):
    write(beetles(), tmp_path / 'x.json', 'coco')
    with pytest.raises(InputError, match="coco files take no 'scorer'"):
        read(tmp_path / 'x.json', scorer='me')


def test_labels_that_do_not_fit_together_are_refused(tmp_path):
    labels = beetles()
    labels.names = NAMES[:3]
    with pytest.raises(InputError, match='3 keypoints'):
        write(labels, tmp_path / 'x.json', 'coco')
    labels = beetles()
    labels.names = ['head', 'head', 'a', 'b']
    with pytest.raises(InputError, match="two keypoints.*'head'"):
        write(labels, tmp_path / 'x.json', 'coco')
    with pytest.raises(InputError, match='finite'):
        Labelled('x.png', SIZE, [[np.nan, 1]], [2])
    assert not list(tmp_path.iterdir())


def labelme_cat(label, group, left):
    rectangle = {'label': label, 'points': [[left, 0], [left + 9, 9]], 'shape_type': 'rectangle'}
    point = {'label': 'nose', 'points': [[left + 1, 1]], 'shape_type': 'point'}
    return [{**rectangle, 'group_id': group}, {**point, 'group_id': group}]


def test_labelme_rectangles_of_two_labels_are_two_categories(tmp_path):
    shapes = labelme_cat('cat', 1, 0) + labelme_cat('dog', 2, 20)
    content = {'shapes': shapes, 'imagePath': 'a.png', 'imageHeight': 40, 'imageWidth': 80}
    (tmp_path / 'a.json').write_text(json.dumps(content))
    with pytest.raises(InputError, match='several categories: name one of cat, dog'):
        read(tmp_path)
    (dog,) = read(tmp_path, category='dog').items
    assert dog.keypoints.tolist() == [[21, 1]]


def test_a_cvat_box_that_is_joined_to_none_of_two_skeletons_is_none_of_theirs(tmp_path):
    items = [Labelled('a.png', SIZE, [[x, 2]], [2], (x, 0, 9, 9)) for x in (0, 30)]
    write(Labels('cat', ['nose'], (), items), tmp_path / 'x.xml', 'cvat')
    joined = (tmp_path / 'x.xml').read_text()
    (tmp_path / 'x.xml').write_text(
        joined.replace(' group_id="1"', '').replace(' group_id="2"', '')
    )
    assert [item.box for item in read(tmp_path / 'x.xml').items] == [None, None]


def test_label_studio_keypoints_of_two_objects_without_rectangles_are_not_mixed(tmp_path):
    nose = {'type': 'keypointlabels', 'original_width': 80, 'original_height': 40}
    places = [{'x': x, 'y': 5, 'width': 1, 'keypointlabels': ['nose']} for x in (10, 60)]
    result = [{**nose, 'value': place} for place in places]
    task = {'data': {'image': 'a.png'}, 'annotations': [{'result': result}]}
    (tmp_path / 'x.json').write_text(json.dumps([task]))
    with pytest.raises(InputError, match='join each to its rectangle'):
        read(tmp_path / 'x.json')


def test_label_studio_keeps_two_objects_without_boxes_apart(tmp_path):
    places = [(10, 5), (30, 8)], [(60, 5), (0, 0)]
    items = [Labelled('a.png', (40, 80), points, [2, 2 * any(points[1])]) for points in places]
    write(Labels('cat', ['nose', 'tail'], (), items), tmp_path / 'x.json', 'label_studio')
    found = read(tmp_path / 'x.json').items
    assert [item.visible.tolist() for item in found] == [[2, 2], [2, 0]]
    np.testing.assert_allclose([item.keypoints for item in found], places)
    assert [item.box for item in found] == [(0, 0, 80, 40)] * 2
    assert [item.box for item in items] == [None, None]  # what was written is as it was
