"""SynthPose 2: readers, scenes and pictures, on models made up here."""

import json
import shutil
import subprocess
import sys
import zipfile
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from fmmp.datasets.synthpose.rendered import aircraft, fetching, furniture, scene
from fmmp.datasets.synthpose.rendered.backgrounds import Backgrounds
from fmmp.datasets.synthpose.rendered.camera import look_at, sun_view
from fmmp.datasets.synthpose.rendered.catalogue import Sources, part, rendered_split
from fmmp.datasets.synthpose.rendered.extremes import Extreme, both_sides, locate
from fmmp.datasets.synthpose.rendered.labelling import annotate
from fmmp.datasets.synthpose.rendered.lighting import random_light
from fmmp.datasets.synthpose.rendered.meshes import plain_texture
from fmmp.datasets.synthpose.rendered.model import Category, Model, Part, Posed
from fmmp.datasets.synthpose.rendered.renderer import CLUTTER, OBJECT, Item, Renderer
from fmmp.datasets.synthpose.rendered.settling import settle
from fmmp.datasets.synthpose.rendered.writing import write_rendered

from fmmp.errors import InputError

SIZE = 64
CORNERS = np.array([(x, y, z) for x in (0, 1) for y in (0, 1) for z in (0, 1)], float)
SIDES = [(0, 1, 3, 2), (4, 5, 7, 6), (0, 1, 5, 4), (2, 3, 7, 6), (0, 2, 6, 4), (1, 3, 7, 5)]
CUBE = '\n'.join(
    ['mtllib cube.mtl', 'usemtl one']
    + [f'v {x} {y} {z}' for x, y, z in CORNERS]
    + ['f ' + ' '.join(str(corner + 1) for corner in side) for side in SIDES]
)
PROPERTIES = 'license=CC0\n' + '\n'.join(
    f'{key}#{number}={value}'
    for number, name in enumerate(['Chair', 'Chair', 'Desk', 'Stool'], 1)
    for key, value in dict(
        name=name, model=f'/m/{number}/cube.obj', width=50, depth=40, height=80, creator='Nobody'
    ).items()
)


@pytest.fixture(scope='module')
def renderer():
    try:
        return Renderer(SIZE)
    except InputError as error:
        pytest.skip(str(error))


@pytest.fixture
def catalogue(tmp_path):
    """A function that writes a catalogue of four cubes, in three categories; its folder."""
    pytest.importorskip('trimesh')

    def write(properties=PROPERTIES, **entries):
        folder = tmp_path / 'furniture'
        folder.mkdir(exist_ok=True)
        with zipfile.ZipFile(folder / 'some.sh3f', 'w') as archive:
            archive.writestr(furniture.PROPERTIES, properties)
            for number in range(1, 5):
                entries.setdefault(f'm/{number}/cube.mtl', 'newmtl one\nKd 0.2 0.5 0.8\n')
                entries.setdefault(f'm/{number}/cube.obj', CUBE)
            for name, content in entries.items():
                archive.writestr(name, content)
        return folder

    return write


@pytest.fixture
def photographs(tmp_path):
    folder = tmp_path / 'photographs'
    folder.mkdir()
    noise = np.random.default_rng(0).integers(0, 255, (80, 100, 3), np.uint8)
    cv2.imwrite(str(folder / 'one.png'), noise)
    return [str(folder)]


def square(half, z, shift=(0, 0), colour=200):
    """A square that faces the front."""
    corners = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * half + shift
    return Part(
        np.c_[corners, np.full(4, z)].astype(np.float32),
        np.tile([0, 0, 1], (4, 1)).astype(np.float32),
        np.zeros((4, 2), np.float32),
        np.array([[0, 1, 2], [0, 2, 3]], np.int32),
        plain_texture(np.full(3, colour)),
    )


def seen_from_front(renderer, items):
    camera = look_at(np.zeros(3), 1.0, 0.0, 0.0, 0.0, 0.8)
    light = random_light(np.random.default_rng(0))
    sun = sun_view(np.zeros(3), 2.0, light.sun_direction)
    return camera, renderer.draw(items, camera.matrix, camera.eye, sun, light)


def test_points_are_projected_as_by_a_pinhole():
    camera = look_at(np.zeros(3), 1.0, 0.0, 0.0, 0.0, 0.8)
    distance, focus = 1 / np.sin(0.4), 50 / np.tan(0.4)
    places, depths = camera.project(np.array([[0.3, 0.2, 0.5]]), 100)
    expected = 50 + focus * np.array([0.3, -0.2]) / (distance - 0.5)
    np.testing.assert_allclose(places[0], expected)
    np.testing.assert_allclose(depths[0], distance - 0.5)


def test_a_camera_at_the_left_sees_the_front_at_its_left():
    camera = look_at(np.zeros(3), 1.0, np.pi / 2, 0.3, 0.0, 0.8)
    assert camera.eye[0] > 0 < camera.eye[1]
    (front, top), _ = camera.project(np.array([[0, 0, 0.5], [0, 0.5, 0]]), 100)
    assert front[0] < 49
    assert top[1] < 49


def test_an_object_is_drawn_where_its_points_are_projected(renderer):
    part = square(0.5, 0.2, (0.2, -0.1))
    camera, drawing = seen_from_front(renderer, [Item(part, OBJECT, np.ones(3))])
    rows, columns = np.nonzero(drawing.labels == OBJECT)
    places, _ = camera.project(part.vertices, SIZE)
    low, high = places.min(0), places.max(0)
    found = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
    np.testing.assert_allclose(found, [*low, *high], atol=1)
    inside = drawing.colours[drawing.labels == OBJECT]
    assert (inside[:, 3] > 0).all()
    assert (np.median(inside, axis=0) > [20, 20, 20, 254]).all()


def test_a_process_that_has_drawn_can_compile_afterwards(renderer):
    pytest.importorskip('triton')
    module = 'fmmp.datasets.synthpose.rendered.renderer'
    code = f'from {module} import Renderer; Renderer(32); import triton'
    subprocess.run([sys.executable, '-c', code], check=True)


def test_keypoints_behind_a_wall_are_hidden_and_the_box_is_of_what_is_seen(renderer):
    part = square(0.6, 0.0)
    wall = square(0.8, 0.5, (0.8, 0))
    posed = Posed([part], part.vertices.astype(float))
    items = [Item(part, OBJECT, np.ones(3)), Item(wall, CLUTTER, np.ones(3))]
    camera, drawing = seen_from_front(renderer, items)
    hidden = [1, 2]
    visibility = [
        np.array(annotate(posed, camera, drawing, np.random.default_rng(s))[0]['keypoints'])[2::3]
        for s in range(20)
    ]
    assert all((v[[0, 3]] == 2).all() and (v[hidden] < 2).all() for v in visibility)
    assert {0, 1} == {int(value) for v in visibility for value in v[hidden]}
    annotation, share = annotate(posed, camera, drawing, np.random.default_rng(0))
    assert share == 0.5
    x, _, width, _ = annotation['bbox']
    assert x + width < camera.project(part.vertices[[1]], SIZE)[0][0, 0] - 5


def test_a_keypoint_inside_of_its_object_is_seen(renderer):
    part = square(0.6, 0.0)
    posed = Posed([part], np.array([[0.5, 0.5, -0.1]]))
    camera, drawing = seen_from_front(renderer, [Item(part, OBJECT, np.ones(3))])
    annotation, _ = annotate(posed, camera, drawing, np.random.default_rng(0))
    assert annotation['keypoints'][2] == 2


def test_extremes_lie_in_their_regions_left_being_plus_x():
    wanted = both_sides(Extreme('foot', (1, 0, 1), y=(0, 0.1)))
    wanted.append(Extreme('nothing', (0, 1, 0), y=(0.4, 0.6)))
    left, right, nothing = locate(CORNERS * [2, 3, 4], wanted)
    np.testing.assert_array_equal(left, [2, 0, 4])
    np.testing.assert_array_equal(right, [0, 0, 4])
    assert np.isnan(nothing).all()


def test_a_category_is_settled_without_keypoints_that_coincide_or_are_missing():
    part = square(0.5, 0)
    points = np.r_[part.vertices, part.vertices[:1], [[np.nan] * 3]]
    model = Model('one', lambda rng: Posed([part], points), 'here', 'me', 'CC0')
    names, links = list('abcdef'), [(0, 1), (1, 4), (2, 5)]
    category = Category('thing', 'thing', names, links, [model], [1, 0, 3, 2, 1, 5])
    settled, refused = settle(category)
    assert (settled.keypoints, refused) == (list('abcd'), [])
    assert settled.skeleton == [(0, 1), (0, 3), (1, 2)]  # the square's sides
    assert settled.swap == [1, 0, 3, 2]
    assert settled.models[0].pose(None).keypoints.shape == (4, 3)


def test_a_keypoint_that_has_no_other_side_is_never_mirrored_onto_itself():
    part = square(0.5, 0)
    points = np.r_[part.vertices, [[0.2, 0.3, 0], [np.nan] * 3]]  # the right ear is lacking
    model = Model('one', lambda rng: Posed([part], points), 'here', 'me', 'CC0')
    names = [*'abcd', 'left ear', 'right ear']
    settled, _ = settle(Category('thing', 'thing', names, [], [model], [1, 0, 3, 2, 5, 4]))
    assert settled.keypoints == names[:5]
    assert settled.swap == []


def test_a_catalogues_models_make_categories_by_name(catalogue):
    found = {entry.name: entry for entry in furniture.categories(catalogue())}
    assert set(found) == {'chair', 'desk', 'stool'}
    category = found['chair'].read()
    assert [model.licence for model in category.models] == ['CC0', 'CC0']
    posed = category.models[0].pose(None)
    foot = posed.keypoints[category.keypoints.index('left front foot')]
    np.testing.assert_allclose(foot, [0.25, 0, 0.2], atol=0.26)
    size = np.ptp(np.concatenate([part.vertices for part in posed.parts]), axis=0)
    np.testing.assert_allclose(size, [0.5, 0.8, 0.4], rtol=1e-5)


@pytest.mark.parametrize('path', ['../../secret.obj', '/m/../../secret.obj', 'm/9/none.obj'])
def test_a_model_outside_of_its_archive_is_refused(catalogue, tmp_path, path):
    (tmp_path / 'secret.obj').write_text(CUBE)
    folder = catalogue(PROPERTIES.replace('/m/3/cube.obj', path))
    desk = next(entry for entry in furniture.categories(folder) if entry.name == 'desk')
    with pytest.raises(InputError, match=r'some\.sh3f'):
        settle(desk.read())


def test_a_material_reads_nothing_outside_of_the_archive(catalogue, tmp_path):
    cv2.imwrite(str(tmp_path / 'secret.png'), np.full((4, 4, 3), 77, np.uint8))
    material = f'newmtl one\nKd 1 0 0\nmap_Kd {tmp_path}/secret.png\n'
    folder = catalogue(**{'m/3/cube.mtl': material, 'm/4/cube.mtl': material})
    desk = next(entry for entry in furniture.categories(folder) if entry.name == 'desk')
    textures = [one.texture for one in desk.read().models[0].pose(None).parts]
    assert textures
    assert not any((texture == 77).any() for texture in textures)


@pytest.mark.parametrize('content', ['', 'f 1 2 3\n', 'v 0 0 nan\n' * 3 + 'f 1 2 3\n', '\0\1\2'])
def test_a_broken_model_is_left_out_and_told(catalogue, content):
    folder = catalogue(**{'m/2/cube.obj': content})
    chair = next(entry for entry in furniture.categories(folder) if entry.name == 'chair')
    category, refused = settle(chair.read())
    assert len(category.models) == 1
    assert len(refused) == 1
    assert 'm/2/cube.obj' in refused[0]


def test_an_aircraft_is_read_with_its_objects_placed_and_its_nose_in_front(tmp_path):
    folder = tmp_path / 'Aircraft' / 'centrair-101' / 'Models'
    folder.mkdir(parents=True)
    corners = '\n'.join(f'{6 * x - 3} {y} {4 * z - 2}' for x, y, z in CORNERS)
    surfaces = '\n'.join(
        'SURF 0x10\nmat 0\nrefs 4\n' + '\n'.join(f'{corner} 0 0' for corner in side)
        for side in SIDES
    )
    content = (
        'AC3Db\nMATERIAL "m" rgb 1 0 0  amb 1 1 1\nOBJECT world\nkids 1\nOBJECT poly\n'
        f'loc 10 0 0\nnumvert 8\n{corners}\nnumsurf 6\n{surfaces}\nkids 0\n'
    )
    (folder / 'glider.ac').write_text(content)
    (category,) = (entry.read() for entry in aircraft.categories(tmp_path))
    posed = category.models[0].pose(None)
    nose = posed.keypoints[category.keypoints.index('nose')]
    tip = posed.keypoints[category.keypoints.index('left front of the wing tip')]
    assert nose[2] == -7
    assert tip[0] == 2
    (folder / 'glider.ac').write_text(content[:-60])
    aircraft._read.cache_clear()
    (category,) = (entry.read() for entry in aircraft.categories(tmp_path))
    with pytest.raises(InputError, match=r'glider\.ac'):
        settle(category)


@pytest.mark.parametrize(
    ('tries', 'kept'),  # of each scene, how many keypoints have a label and the part that is seen
    [
        ([(4, 0.1), (2, 0.5), (4, 0.4)], 2),  # one that shows more, of keypoints too few
        ([(4, 0.1), (2, 0.5)] + 10 * [(4, 0.05)], 0),  # none shows enough
        (12 * [(2, 0.5)] + [(4, 0.1), (4, 0.5)], 12),  # none has enough labels but one more
    ],
)
def test_a_scene_with_three_labels_comes_before_one_that_shows_more(tries, kept, monkeypatch):
    drawn = iter(
        ({'num_keypoints': count, 'try': number}, seen)
        for number, (count, seen) in enumerate(tries)
    )
    monkeypatch.setattr(scene, 'annotate', lambda *_: next(drawn))
    monkeypatch.setattr(scene, 'photograph', lambda *_: None)
    part = square(0.5, 0)
    model = Model('one', lambda rng: Posed([part], part.vertices), 'here', 'me', 'CC0')
    texture = plain_texture(np.full(3, 100))
    _, annotation, _ = scene.draw(
        Category('thing', 'thing', list('abcd'), [], [model], []),
        [],
        SimpleNamespace(ground=lambda rng: texture, photograph=lambda rng, size: None),
        SimpleNamespace(size=SIZE, draw=lambda *_: SimpleNamespace(colours=None)),
        np.random.default_rng(0),
    )
    assert annotation['try'] == kept


def test_held_out_categories_stay_so_whatever_is_drawn():
    names = sorted(['chair', 'horse', 'zebra', 'lamp', 'sofa', 'vase'])
    split = rendered_split(names)
    assert sorted(i for ids in split.values() for i in ids) == [1, 2, 3, 4, 5, 6]
    assert names.index('horse') + 1 in split['test']
    assert all(part(names[i - 1]) == subset for subset, ids in split.items() for i in ids)


def contents(folder):
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob('*') if p.is_file()}


def test_a_stopped_run_goes_on_to_the_same_bytes(renderer, catalogue, photographs, tmp_path):
    sources = Sources(furniture=str(catalogue()))
    settings = dict(sources=sources, backgrounds=photographs, instances=2, size=SIZE)
    write_rendered(tmp_path / 'whole', **settings)

    def stop(done, total):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_rendered(tmp_path / 'halves', **settings, progress=stop)
    assert not (tmp_path / 'halves' / 'unified.json').exists()
    drawn = []
    write_rendered(tmp_path / 'halves', **settings, progress=lambda done, total: drawn.append(done))
    assert drawn == [2, 3]
    whole = contents(tmp_path / 'whole')
    assert whole == contents(tmp_path / 'halves')
    assert len([name for name in whole if name.endswith('.jpg')]) == 6

    unified = json.loads(whole['unified.json'])
    assert [category['name'] for category in unified['categories']] == ['chair', 'desk', 'stool']
    assert all((tmp_path / 'whole/images' / i['file_name']).exists() for i in unified['images'])
    for annotation, category in zip(
        unified['annotations'][::2], unified['categories'], strict=True
    ):
        assert len(annotation['keypoints']) == 3 * len(category['keypoints'])
    credits = json.loads(whole['licences.json'])['models']
    assert {credit['creator'] for credit in credits} == {'Nobody'}
    with pytest.raises(InputError, match='instances'):
        write_rendered(tmp_path / 'whole', **{**settings, 'instances': 3})


@pytest.mark.parametrize('name', ['St-ol', 'ST ?OL', '椅子'])
def test_a_category_without_a_folder_of_its_own_is_refused(catalogue, photographs, tmp_path, name):
    properties = PROPERTIES.replace('=Stool', f'={name}').replace('=Desk', '=St ol')
    written = properties.encode('ascii', 'backslashreplace').decode()  # as such a file writes it
    sources = Sources(furniture=str(catalogue(written)))
    with pytest.raises(InputError, match='the folder of category'):
        write_rendered(tmp_path / 'out', sources, photographs)


def test_of_a_photograph_in_several_sizes_one_is_taken_and_all_others_count(tmp_path):
    names = ['800x600', '1920x1080', 'IMG_0001', 'IMG_0002', 'box', 'fox', 'sea', 'sea_800x600']
    for name in names:
        cv2.imwrite(str(tmp_path / f'{name}.png'), np.zeros((8, 8, 3), np.uint8))
    found = {path.stem for path in Backgrounds([tmp_path]).photographs}
    assert found == {'800x600', 'IMG_0001', 'IMG_0002', 'box', 'fox', 'sea_800x600'}


def test_another_folder_is_left_alone(renderer, catalogue, photographs, tmp_path):
    (tmp_path / 'mine').mkdir()
    (tmp_path / 'mine/thesis.txt').write_text('mine')
    with pytest.raises(InputError, match='no SynthPose 2'):
        write_rendered(tmp_path / 'mine', Sources(furniture=str(catalogue())), photographs)
    assert contents(tmp_path / 'mine') == {'thesis.txt': b'mine'}


def test_without_apt_fetching_says_what_to_download(tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, 'which', lambda name: None)
    with pytest.raises(InputError, match=r'packages\.debian\.org/0ad-data'):
        fetching.fetch(tmp_path)
