"""0 A.D.'s reader, on a package that the tests write: an animal of two bones, and a man."""

import io
import struct
import zipfile
from functools import partial

import numpy as np
import pytest
from fmmp.datasets.synthpose.rendered import birds_and_fish, zero_ad
from fmmp.datasets.synthpose.rendered.anatomy import Animal, Kind
from fmmp.datasets.synthpose.rendered.zero_ad_actors import Archive
from fmmp.datasets.synthpose.rendered.zero_ad_files import (
    parse_xml,
    read_animation,
    read_mesh,
    read_skeleton,
    skin,
)
from PIL import Image

from fmmp.errors import InputError

STILL = (0, 0, 0, 0, 0, 0, 1)
QUARTER = (0, 0, 0, 0, np.sqrt(0.5), 0, np.sqrt(0.5))  # a quarter turn about y

# The files' z points backwards: the animal's head is at z = -1, its left fin at x = 1.
VERTICES = np.array([[0, 0, -1], [0, 0, 1], [1, 0, 0], [-1, 0, 0], [0, 1, 0]], float)
FACES = [[0, 2, 4], [2, 1, 4], [1, 3, 4], [3, 0, 4]]
BONES = [1, 0, 0, 0, 0]  # 'head' moves the first vertex, 'tail' the others
BIND = [(0, 0, 0.5, *STILL[3:]), (0, 0, -0.5, *STILL[3:])]


def mesh_file(vertices=VERTICES, faces=FACES, bones=BONES, bind=BIND, props=()):
    data = struct.pack('<II', len(vertices), 1)
    for i, (at, bone) in enumerate(zip(vertices, bones, strict=True)):
        data += struct.pack('<8f4B4f', *at, 0, 1, 0, i / 4, 0.25, bone, 255, 255, 255, 1, 0, 0, 0)
    data += struct.pack('<I', len(faces)) + np.array(faces, '<u2').tobytes()
    data += struct.pack('<I', len(bind)) + np.array(bind, '<f4').tobytes()
    data += struct.pack('<I', len(props))
    for name, bone, state in props:
        data += struct.pack('<I', len(name)) + name.encode() + struct.pack('<7fB', *state, bone)
    return b'PSMD' + struct.pack('<II', 4, len(data)) + data


def animation_file(frames):
    frames = np.array(frames, '<f4')
    data = struct.pack('<If', 0, 33.0) + struct.pack('<II', *frames.shape[1::-1])
    return b'PSSA' + struct.pack('<II', 1, len(data)) + data + frames.tobytes()


def texture_file(*colour):
    file = io.BytesIO()
    Image.new('RGBA', (4, 4), colour).save(file, 'DDS')
    return file.getvalue()


def skeleton_file(*names):
    bones = ''.join(f'<bone name="{name}"/>' for name in names)
    return f'<skeletons><standard_skeleton id="x">{bones}</standard_skeleton></skeletons>'


def variant(name='', mesh='', texture='', animations=(), props=(), frequency=1):
    mesh = f'<mesh>{mesh}</mesh>' if mesh else ''
    texture = f'<textures><texture file="{texture}" name="baseTex"/></textures>' if texture else ''
    moves = ''.join(f'<animation file="{file}" name="{kind}"/>' for kind, file in animations)
    worn = ''.join(f'<prop actor="{actor}" attachpoint="{at}"/>' for at, actor in props)
    return (
        f'<variant name="{name}" frequency="{frequency}">{mesh}{texture}'
        f'<animations>{moves}</animations><props>{worn}</props></variant>'
    )


def actor_file(*groups, material='default.xml'):
    groups = ''.join(f'<group>{"".join(group)}</group>' for group in groups)
    return f'<actor version="1">{groups}<material>{material}</material></actor>'


def entries():
    moves = [('Walk', 'swim.dae'), ('Death', 'sink.dae'), ('Idle', 'other.dae')]
    fish = actor_file(
        [variant(mesh='skeletal/fish.dae', animations=moves)],
        [variant(texture='red.png'), variant('dead', texture='black.png')],
        [variant(props=[('brow', 'props/fauna/horn.xml'), ('brow', 'props/saddle.xml')])],
    )
    prop = actor_file([variant(mesh='props/horn.dae', texture='blue.png')])
    head = [BIND[0], (0, 0, -2.5, *STILL[3:])]  # two units before its bind pose
    return {
        'art/skeletons/fish.xml': skeleton_file('tail', 'head'),
        'art/meshes/skeletal/fish.dae.cached.pmd': mesh_file(
            props=[('brow', 1, (0, 0.5, 0, *STILL[3:]))]
        ),
        'art/meshes/props/horn.pmd': mesh_file(bind=[], bones=[255] * 5),
        'art/animation/swim.dae.cached.psa': animation_file([head]),
        'art/animation/sink.dae.cached.psa': animation_file([[QUARTER, QUARTER]]),
        'art/animation/other.dae.cached.psa': animation_file([[STILL] * 3]),
        'art/textures/skins/red.png.cached.dds': texture_file(255, 0, 0, 0),
        'art/textures/skins/black.dds': texture_file(0, 0, 0, 255),
        'art/textures/skins/blue.dds': texture_file(0, 0, 255, 255),
        'art/actors/fauna/fish.xml': fish,
        'art/actors/props/fauna/horn.xml': prop,
        'art/actors/props/saddle.xml': prop,
    }


@pytest.fixture
def package(tmp_path):
    def write(changed=None):
        path = tmp_path / 'public.zip'
        with zipfile.ZipFile(path, 'w') as file:
            for name, data in {**entries(), **(changed or {})}.items():
                if data is not None:
                    file.writestr(name, data)
        return path

    return write


PLACES = {'snout': (0, 1), 'tail base': (0, -1), 'pectoral fin tip': (1, 0, 0), 'eye': None}
FIND = partial(birds_and_fish.find, places=PLACES, tips={})


def fish(package, **changed):
    animal = Animal('fish', 'fish', 'head', 'tail', FIND)
    kind = Kind('fish', 'fish', birds_and_fish.FISH, birds_and_fish.FISH_PATHS, [animal])
    return zero_ad.categories(package(changed), [kind])[0]


def test_meshes_face_z_with_left_at_x_and_textures_the_right_way_up():
    mesh = read_mesh(mesh_file(), 'fish.pmd')
    np.testing.assert_allclose(mesh.vertices, VERTICES * [1, 1, -1])
    np.testing.assert_allclose(mesh.uv[1], [0.25, 0.75])
    np.testing.assert_allclose(mesh.bind[:, 2, 3], [-0.5, 0.5])
    a, b, c = mesh.vertices[mesh.faces[0]]
    assert np.cross(b - a, c - a) @ (a + b + c) > 0  # seen from without


def test_a_vertex_moves_with_its_bone_alone():
    mesh = read_mesh(mesh_file(), 'fish.pmd')
    turned = read_animation(animation_file([[BIND[0], QUARTER]]), 'turn.psa')[0]
    moved, _ = skin(mesh, turned)
    np.testing.assert_allclose(moved[1:], mesh.vertices[1:], atol=1e-6)
    # Half a unit before its bone; about y, in coordinates whose z is turned round.
    np.testing.assert_allclose(moved[0], [-0.5, 0, 0], atol=1e-6)


@pytest.mark.parametrize('length', [3, 12, 40, 200, -1])
def test_files_that_end_early_are_refused_by_name(length):
    with pytest.raises(InputError, match=r'fish\.pmd'):
        read_mesh(mesh_file()[:length], 'fish.pmd')
    with pytest.raises(InputError, match=r'swim\.psa'):
        read_animation(animation_file([BIND] * 9)[:length], 'swim.psa')


@pytest.mark.parametrize(
    ('data', 'message'),
    [
        (animation_file([BIND]), 'PSMD'),
        (mesh_file(faces=[[0, 1, 9]]), 'vertex 9'),
        (mesh_file(vertices=VERTICES * np.nan), 'not finite'),
        (b'PSMD' + struct.pack('<II', 3, 0), 'version 3'),
        (b'PSMD' + struct.pack('<IIII', 4, 0, 2**32 - 1, 1), 'ends too early'),
        (b'PSMD' + struct.pack('<IIII', 4, 0, 1, 2**32 - 1), 'places in textures'),
    ],
)
def test_meshes_that_cannot_be_are_refused(data, message):
    with pytest.raises(InputError, match=message):
        read_mesh(data, 'fish.pmd')


@pytest.mark.parametrize('data', [b'<a', b'<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>'])
def test_xml_that_is_broken_or_may_expand_is_refused(data):
    with pytest.raises(InputError, match=r'actor\.xml'):
        parse_xml(data, 'actor.xml')


def test_a_skeletons_bones_are_named_in_order():
    assert read_skeleton(skeleton_file('tail', 'head').encode(), 'x') == ['tail', 'head']


def test_a_category_has_the_keypoints_that_its_animals_have(package):
    category = fish(package)
    assert category.keypoints == [
        'snout',
        'tail base',
        'left pectoral fin tip',
        'right pectoral fin tip',
    ]
    assert category.swap == [0, 1, 3, 2]
    assert category.skeleton == [(0, 1), (0, 2), (0, 3)]  # past the eyes that it lacks


def test_keypoints_lie_on_the_model_with_left_at_x(package):
    posed = fish(package).models[0].pose(None)
    expected = [[0, 0, 1], [0, 0, -1], [1, 0, 0], [-1, 0, 0]]
    np.testing.assert_allclose(posed.keypoints, expected, atol=1e-6)


def test_keypoints_move_with_the_skin_in_animations_but_those_of_dying(package):
    pose = fish(package).models[0].pose
    rng = np.random.default_rng(0)
    snouts = {tuple(pose(rng).keypoints[0].round(4)) for _ in range(20)}
    assert snouts == {(0, 0, 1), (0, 0, 3)}


def test_a_model_that_faces_backwards_is_turned_round(package):
    backwards = mesh_file(VERTICES * [-1, 1, -1], bind=BIND[::-1])
    changed = {'art/meshes/skeletal/fish.dae.cached.pmd': backwards}
    posed = fish(package, **changed).models[0].pose(None)
    np.testing.assert_allclose(posed.keypoints[:3], [[0, 0, 1], [0, 0, -1], [1, 0, 0]], atol=1e-6)
    np.testing.assert_allclose(posed.parts[0].vertices[2], [1, 0, 0], atol=1e-6)


def test_equal_seeds_give_equal_poses_and_none_always_the_same(package):
    pose = fish(package).models[0].pose
    for seeds in ((5, 5), (None, None)):
        one, two = (pose(seed and np.random.default_rng(seed)) for seed in seeds)
        np.testing.assert_array_equal(one.keypoints, two.keypoints)
        for a, b in zip(one.parts, two.parts, strict=True):
            np.testing.assert_array_equal(a.vertices, b.vertices)
            np.testing.assert_array_equal(a.texture, b.texture)


def test_an_animal_wears_its_own_props_at_their_bones_and_no_dead_texture(package):
    pose = fish(package).models[0].pose
    rng = np.random.default_rng(1)
    for _ in range(10):
        body, *props = pose(rng).parts
        assert len(props) == 1  # the horn, not the saddle
        assert (body.texture[0, 0] == [255, 0, 0, 255]).all()  # no material makes it transparent
        at = body.vertices[0] + [0, 0.5, -0.5]  # the brow's bone is half a unit behind the snout
        np.testing.assert_allclose(props[0].vertices[[0, 1]].mean(0), at, atol=1e-6)


@pytest.mark.parametrize(
    ('material', 'colour'),
    [
        ('basic_trans.xml', [200, 100, 50, 0]),
        ('no_trans_spec.xml', [200, 100, 50, 255]),
        ('player_trans.xml', [0, 50, 50, 255]),
    ],
)
def test_the_material_says_what_a_textures_alpha_means(package, material, colour):
    path = package({'art/textures/skins/red.png.cached.dds': texture_file(200, 100, 50, 0)})
    archive = Archive(path)
    look = archive.actor('art/actors/fauna/fish.xml').look(None)
    mesh, team = archive.mesh(look.mesh), np.array([0, 0.5, 1])
    part = archive.parts(mesh, look, material, None, None, team)[0]
    assert part.texture[1, 2].tolist() == colour


@pytest.mark.parametrize(
    ('entry', 'data'),
    [
        ('art/meshes/skeletal/fish.dae.cached.pmd', None),
        ('art/meshes/skeletal/fish.dae.cached.pmd', mesh_file()[:90]),
        ('art/skeletons/fish.xml', None),
        ('art/skeletons/fish.xml', '<skeletons/>'),
        ('art/actors/fauna/fish.xml', '<actor>'),
        ('art/animation/swim.dae.cached.psa', b'PSSA'),
        ('art/textures/skins/red.png.cached.dds', b'DDS no'),
        ('art/textures/skins/red.png.cached.dds', texture_file(1, 2, 3, 4)[:140]),
    ],
)
def test_a_missing_or_damaged_file_is_named_with_its_package(package, entry, data):
    with pytest.raises(InputError, match=r'public\.zip.*' + entry.split('.')[0]):
        fish(package, **{entry: data}).models[0].pose(np.random.default_rng(0))


@pytest.mark.parametrize('bones', [['tail', 'brow'], ['tail'], ['a', 'b', 'tail', 'head']])
def test_a_mesh_of_other_bones_is_refused(package, bones):
    with pytest.raises(InputError, match='fish.dae has no bone'):
        fish(package, **{'art/skeletons/fish.xml': skeleton_file(*bones)})


def test_a_mesh_that_no_actor_uses_is_refused(package):
    with pytest.raises(InputError, match='no actor uses .*fish'):
        fish(package, **{'art/actors/fauna/fish.xml': None})


def test_what_is_no_package_is_refused_with_the_way_out(tmp_path):
    (tmp_path / 'public.zip').write_bytes(b'PK no')
    for name in ('public.zip', 'other.zip'):
        with pytest.raises(InputError, match=name + '.*0ad-data'):
            zero_ad.categories(tmp_path / name)


def test_people_have_a_model_for_each_people_with_joints_where_their_bones_are(package):
    joints = {
        'head': (0, 4, 0),
        'neck': (0, 3, 0),
        **{f'{bone}_L': (i + 1, i, 0) for i, bone in enumerate(BONES_OF_A_SIDE)},
        **{f'{bone}_R': (-i - 1, i, 0) for i, bone in enumerate(BONES_OF_A_SIDE)},
    }
    bind = [(*at, *STILL[3:]) for at in joints.values()]
    body = mesh_file(bones=[0] * 5, bind=bind)
    unit = [variant(mesh='skeletal/new/m_tunic.dae', texture='red.png')]
    files = {
        'art/skeletons/biped.xml': skeleton_file(*joints),
        'art/meshes/skeletal/new/m_tunic.dae.cached.pmd': body,
        'art/actors/units/gauls/swordsman.xml': actor_file(unit),
        'art/actors/units/gauls/cavalry_r.xml': actor_file(unit),
        'art/actors/units/romans/healer.xml': actor_file(unit),
    }
    (category,) = zero_ad.categories(package(files), [])
    assert (category.name, category.kind) == ('man', 'person')
    assert [model.name for model in category.models] == ['gauls', 'romans']
    keypoints = category.models[0].pose(np.random.default_rng(0)).keypoints
    found = dict(zip(category.keypoints, keypoints, strict=True))
    np.testing.assert_allclose(found['left wrist'], (3, 2, 0))
    np.testing.assert_allclose(found['right ankle'], (-6, 5, 0))
    assert np.isnan(found['left toe']).all()  # no skin moves with the feet


BONES_OF_A_SIDE = ['arm', 'forearm', 'hand', 'thigh', 'leg', 'foot']
