import json
import os
from pathlib import Path

import pytest
import yaml
from fmmp.datasets.mp100.local_copies import LocalCopy, read_sources, template, write_template
from fmmp.datasets.mp100.prepare import format_report, prepare
from fmmp.datasets.mp100.sources import sources


def row_of(report, name):
    return next(row for row in report['categories'] if row['name'] == name)


def test_the_sources_give_the_100_categories():
    categories = [category for source in sources().values() for category in source.categories]
    assert len(sources()) == 13
    assert len(categories) == len(set(categories)) == 100


def test_a_flat_source_is_linked_once_a_category(local, tmp_path):
    report = prepare(local('AP-10K', 'a.jpg'), tmp_path / 'out')
    folder = tmp_path / 'out/images/zebra_body'
    assert os.readlink(folder) == str(tmp_path / 'sources/AP-10K')
    assert (folder / 'a.jpg').is_file()
    assert len(list((tmp_path / 'out/images').iterdir())) == 34
    assert row_of(report, 'zebra_body')['done'] == {'set': 1, 'kept': 0, 'in_the_way': 0}
    assert row_of(report, 'bed')['notes'] == ['it has no line in sources.yml']
    assert 'from Keypoint-5: 5 categories incomplete.' in format_report(report)


def test_a_folder_of_the_categorys_name_is_preferred(local, tmp_path):
    prepare(local('Keypoint-5', 'bed/a.jpg', 'sofa/b.jpg'), tmp_path / 'out')
    assert [path.name for path in (tmp_path / 'out/images/bed').iterdir()] == ['a.jpg']


def test_the_images_of_keypoint_5_are_those_of_their_own_class(local, annotate, tmp_path):
    copies = local('Keypoint-5', 'bed/images/1.jpg', 'sofa/images/1.jpg', 'sofa/images/2.jpg')
    report = prepare(copies, tmp_path / 'out', annotate('bed/1.jpg', 'bed/2.jpg', 'sofa/2.jpg'))
    assert (tmp_path / 'out/images/bed/1.jpg').read_text() == 'bed/images/1.jpg'
    assert list(row_of(report, 'bed')['missing']) == ['2.jpg']
    assert '1480 in a complete copy' in row_of(report, 'bed')['notes'][0]
    assert row_of(report, 'sofa')['missing'] == {} and row_of(report, 'sofa')['notes'] == []


def test_a_class_with_fewer_images_than_a_complete_copy_is_noted(local, tmp_path):
    report = prepare(local('Keypoint-5', 'bed/images/1.jpg', 'chair/2.jpg'), tmp_path / 'out')
    assert '1 images in' in row_of(report, 'bed')['notes'][0]
    assert '1480 in a complete copy' in row_of(report, 'bed')['notes'][0]
    assert row_of(report, 'chair')['notes'] == []  # nobody says how many there are


def test_images_in_subfolders_are_found_by_the_annotations(local, annotate, tmp_path):
    copies = local('300W', 'in/a.png', 'out/b.png', 'in/c.png', 'out/c.png')
    file = annotate(*(f'human_face/{x}.png' for x in 'abcd'))
    report = prepare(copies, tmp_path / 'out', file)
    folder = tmp_path / 'out/images/human_face'
    assert sorted(path.name for path in folder.iterdir()) == ['a.png', 'b.png']
    assert (folder / 'b.png').read_text() == 'out/b.png'
    missing = row_of(report, 'human_face')['missing']
    assert missing['c.png'] == '2 of that name' and 'not in' in missing['d.png']
    assert 'human_face: 2 images, 2 of 4 annotated' in format_report(report)


def test_bird_classes_are_combined_and_a_missing_one_is_named(local, tmp_path):
    grebes = sources()['CUB-200'].classes['grebe_body']
    report = prepare(local('CUB-200', *(f'{x}/{x}.jpg' for x in grebes[1:])), tmp_path / 'out')
    folder = tmp_path / 'out/images/grebe_body'
    assert sorted(path.name for path in folder.iterdir()) == [f'{x}.jpg' for x in grebes[1:]]
    assert not folder.is_symlink()
    assert grebes[0] in row_of(report, 'grebe_body')['notes'][0]


def test_carfusion_is_matched_by_its_annotations_whatever_the_names(local, annotate, tmp_path):
    own = annotate('x/7.jpg', 'x/8.jpg', 'x/9.jpg', name='carfusion.json')
    copies = local('CarFusion', 'x/7.jpg', 'x/8.jpg', annotations=[own])
    unified = annotate('car/1.jpg', 'bus/2.jpg', 'suv/3.jpg', 'car/4.jpg')
    report = prepare(copies, tmp_path / 'out', unified)
    images = tmp_path / 'out/images'
    assert (images / 'car/1.jpg').read_text() == 'x/7.jpg'
    assert (images / 'bus/2.jpg').read_text() == 'x/8.jpg'
    assert 'no image' in row_of(report, 'suv')['missing']['3.jpg']
    assert row_of(report, 'car')['missing'] == {'4.jpg': 'no annotation of the source fits'}


def test_an_object_that_fits_several_images_is_no_match(local, annotate, tmp_path):
    own = annotate('7.jpg', '8.jpg', name='carfusion.json', box=lambda number: [0, 0, 9, 9])
    unified = annotate('car/1.jpg', box=lambda number: [0, 0, 9, 9])
    copies = local('CarFusion', '7.jpg', '8.jpg', annotations=[own])
    report = prepare(copies, tmp_path / 'out', unified)
    assert row_of(report, 'car')['missing'] == {
        '1.jpg': 'its annotations fit 2 images of the source'
    }


def test_a_second_object_of_the_image_tells_which_of_several_it_is(local, annotate, tmp_path):
    own = annotate('7.jpg', '8.jpg', name='carfusion.json', box=lambda number: [0, 0, 9, 9])
    unified = annotate('car/1.jpg', box=lambda number: [0, 0, 9, 9])
    for file, image in ((own, 1), (unified, 0)):
        content = json.loads(file.read_text())
        content['annotations'].append(
            {'id': 9, 'image_id': image, 'category_id': 1, 'bbox': [5, 5, 2, 2]}
        )
        file.write_text(json.dumps(content))
    prepare(local('CarFusion', '7.jpg', '8.jpg', annotations=[own]), tmp_path / 'out', unified)
    assert (tmp_path / 'out/images/car/1.jpg').read_text() == '8.jpg'


def test_carfusion_without_annotations_says_what_it_needs(local, tmp_path):
    report = prepare(local('CarFusion', '7.jpg'), tmp_path / 'out')
    assert 'name the unified annotation file' in row_of(report, 'car')['notes'][0]


def test_a_second_time_changes_nothing(local, tmp_path):
    grebe = sources()['CUB-200'].classes['grebe_body'][0]
    copies = local('AP-10K', 'a.jpg') | local('CUB-200', f'{grebe}/a.jpg')
    prepare(copies, tmp_path / 'out')
    report = prepare(copies, tmp_path / 'out')
    done = [row['done'] for row in report['categories']]
    assert sum(x['set'] for x in done) == 0
    assert sum(x['kept'] for x in done) == 35


def test_a_link_that_leads_elsewhere_is_set_anew(local, tmp_path):
    (tmp_path / 'out/images').mkdir(parents=True)
    (tmp_path / 'out/images/cat_body').symlink_to('/nowhere')
    prepare(local('AP-10K', 'a.jpg'), tmp_path / 'out')
    assert (tmp_path / 'out/images/cat_body/a.jpg').is_file()


def test_what_is_no_link_is_left_and_named(local, tmp_path):
    (tmp_path / 'out/images/cat_body').mkdir(parents=True)
    report = prepare(local('AP-10K', 'a.jpg'), tmp_path / 'out')
    assert list((tmp_path / 'out/images/cat_body').iterdir()) == []
    assert row_of(report, 'cat_body')['done']['in_the_way'] == 1
    assert 'in the way' in format_report(report)


def test_nothing_is_ever_written_into_a_source(local, annotate, tmp_path):
    copies = local('300W', 'in/a.png', 'b.png')
    source = tmp_path / 'sources/300W'
    before = sorted(source.rglob('*'))
    prepare(copies, tmp_path / 'out')  # links the folder as a whole
    file = annotate('human_face/a.png', 'human_face/b.png')
    prepare(copies, tmp_path / 'out', file)  # fills it image by image
    assert sorted(source.rglob('*')) == before
    assert not (tmp_path / 'out/images/human_face').is_symlink()


def test_copies_are_of_the_annotated_images_alone(local, annotate, tmp_path):
    copies, file = local('COCO', 'a.jpg', 'b.jpg'), annotate('human_body/a.jpg')
    prepare(copies, tmp_path / 'out', file, copy=True)
    [image] = (tmp_path / 'out/images/human_body').iterdir()
    assert image.name == 'a.jpg' and not image.is_symlink()
    with pytest.raises(ValueError, match='name the annotation file'):
        prepare(copies, tmp_path / 'out', copy=True)


def test_copies_take_the_place_of_links(local, annotate, tmp_path):
    copies, file = local('COCO', 'a.jpg'), annotate('human_body/a.jpg')
    prepare(copies, tmp_path / 'out', file)
    prepare(copies, tmp_path / 'out', file, copy=True)
    folder = tmp_path / 'out/images/human_body'
    assert not folder.is_symlink() and not (folder / 'a.jpg').is_symlink()


def test_a_path_that_climbs_out_is_not_built(local, annotate, tmp_path):
    file = annotate('human_body/../../../evil.jpg', 'human_body/a.jpg')
    report = prepare(local('COCO', 'a.jpg', 'evil.jpg'), tmp_path / 'out', file, copy=True)
    assert row_of(report, 'human_body')['annotated'] == 1
    assert not list(tmp_path.glob('evil.jpg'))


def test_a_dry_run_builds_nothing(local, tmp_path):
    report = prepare(local('AP-10K', 'a.jpg'), tmp_path / 'out', dry_run=True)
    assert '34 of 100 categories would be complete' in format_report(report)
    assert not (tmp_path / 'out').exists()


def test_the_template_names_every_source_and_reads_as_none_given(tmp_path):
    write_template(tmp_path / 'sources.yml')
    assert list(yaml.safe_load(template())) == list(sources())
    assert read_sources(tmp_path / 'sources.yml') == {}
    write_template(tmp_path / 'sources.yml')
    (tmp_path / 'sources.yml').write_text('COCO: here')
    with pytest.raises(FileExistsError, match='there already'):
        write_template(tmp_path / 'sources.yml')


def test_paths_are_relative_to_the_file(tmp_path):
    file = tmp_path / 'sources.yml'
    file.write_text('COCO: coco\nCarFusion:\n  images: /cars\n  annotations: [a.json, b.json]\n')
    cars = LocalCopy(Path('/cars'), (tmp_path / 'a.json', tmp_path / 'b.json'))
    assert read_sources(file) == {'COCO': LocalCopy(tmp_path / 'coco'), 'CarFusion': cars}


@pytest.mark.parametrize(
    ('text', 'message'),
    [
        ('COCO: [', 'is no YAML'),
        ('- COCO', 'a line for each source'),
        ('CUB200: here', "unknown source 'CUB200': did you mean CUB-200"),
        ('COCO: 3', 'COCO: give a path, not 3'),
        ('COCO: {folder: here}', r"COCO: unknown \['folder'\]"),
    ],
)
def test_a_wrong_line_of_sources_is_named(tmp_path, text, message):
    (tmp_path / 'sources.yml').write_text(text)
    with pytest.raises(ValueError, match=rf'sources\.yml.*{message}'):
        read_sources(tmp_path / 'sources.yml')


def test_a_folder_that_is_not_there_is_reported_and_the_rest_built(local, tmp_path):
    copies = local('AP-10K', 'a.jpg') | {'COCO': LocalCopy(tmp_path / 'nowhere')}
    report = prepare(copies, tmp_path / 'out')
    assert row_of(report, 'human_body')['notes'] == [f'no folder {tmp_path / "nowhere"}']
    assert (tmp_path / 'out/images/cat_body').exists()
