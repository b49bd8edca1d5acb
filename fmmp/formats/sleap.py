"""SLEAP: an ``.slp`` file, by sleap-io. It holds no boxes.

Images of one size are one of SLEAP's videos, since a video has one size. SLEAP counts pixels from
the center of the first one, we from its corner.
"""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import numpy as np

from fmmp.errors import InputError
from fmmp.files import atomic_path

from .labels import Labelled, Labels, choose, common_names, frame_path, image_size

CENTER = 0.5  # of the first pixel, in pixels from its corner


def sleap_io() -> ModuleType:
    """The package.

    Raises:
        InputError: it is not installed.
    """
    try:
        import sleap_io
    except ImportError:
        raise InputError(
            "SLEAP's and NWB's files need sleap-io: pip install 'fmmp[formats]', or sleap-io"
        ) from None
    return sleap_io


def read(path: str | Path, category: str | None = None, images: str | Path | None = None) -> Labels:
    """Read labels and predictions; of an instance that has both, the label alone.

    A frame of a film is named ``film.mp4/17``, by its number.

    Args:
        path: the file.
        category: the skeleton's name, if there are several.
        images: the folder of the images, for sizes that the file does not have [that of the file].

    Raises:
        InputError: the file is not SLEAP's, or sleap-io is missing.
    """
    load = sleap_io().load_slp
    try:
        content = load(str(path), open_videos=False)
    except Exception as error:  # of any kind, from HDF5 up
        raise InputError(
            f'{path}: sleap-io cannot read it as SLEAP ({type(error).__name__}: {error})'
        ) from error
    return from_sleap(content, path, category, images)


def from_sleap(
    content: object, path: str | Path, category: str | None, images: str | Path | None
) -> Labels:
    """Labels of sleap-io's."""
    folder = Path(path).parent if images is None else Path(images)
    frames = [(_frame_path(frame), frame) for frame in content.labeled_frames]
    names = common_names(image for image, _ in frames)
    found = {}
    for skeleton in content.skeletons:
        name = skeleton.name or 'object'
        found[name] = Labels(name, skeleton.node_names, [(i, j) for i, j in skeleton.edge_inds])
    for image, frame in frames:
        shape = frame.video.shape
        size = tuple(shape[1:3]) if shape and min(shape[1:3]) > 0 else None
        size = size or image_size(folder, names[image])
        for instance in [*frame.user_instances, *frame.unused_predictions]:
            item = _labelled(names[image], size, instance)
            if item.visible.any():
                found[instance.skeleton.name or 'object'].items.append(item)
    return choose(found, category, path)


def _frame_path(frame: object) -> str:
    source = frame.video.filename
    paths = source if isinstance(source, (list, tuple)) else [source]
    return frame_path(list(map(str, paths)), int(frame.frame_idx))


def _labelled(image: str, size: tuple[int, int] | None, instance: object) -> Labelled:
    points = instance.points
    place = np.asarray(points['xy'], float) + CENTER
    known = np.isfinite(place).all(axis=1)
    visible = np.where(known, np.where(points['visible'], 2, 1), 0)
    confidence = None
    if 'score' in points.dtype.names:
        confidence = np.where(known, np.nan_to_num(points['score']), 0)
    return Labelled(image, size, place, visible, None, confidence)


def write(labels: Labels, path: str | Path, images: str | Path | None = None) -> None:
    """Write a file.

    Args:
        labels: what to write.
        path: the file.
        images: the folder of the images: SLEAP finds them by their full paths; else it asks.

    Raises:
        InputError: sleap-io is missing.
    """
    content = to_sleap(labels, images)
    with atomic_path(path) as scratch:
        content.save(str(scratch), format='slp', embed=False, verbose=False)


def to_sleap(labels: Labels, images: str | Path | None) -> object:
    """Labels as sleap-io's."""
    sio = sleap_io()
    links = [(labels.names[i], labels.names[j]) for i, j in labels.skeleton]
    skeleton = sio.Skeleton(list(labels.names), links, name=labels.category)
    folder = None if images is None else Path(images).resolve()
    by_size = {}
    for image, items in labels.images().items():
        by_size.setdefault(items[0].size, []).append((image, items))
    frames = []
    for size, group in by_size.items():
        paths = [image if folder is None else str(folder / image) for image, _ in group]
        shape = None if size is None else [len(paths), *size, 3]
        video = sio.Video(
            filename=paths,
            backend=sio.io.video_reading.ImageVideo(filename=paths),
            backend_metadata={'shape': shape, 'grayscale': False, 'fps': None},
            open_backend=False,
        )
        for number, (_, items) in enumerate(group):
            instances = [_instance(sio, skeleton, item) for item in items]
            frames.append(sio.LabeledFrame(video=video, frame_idx=number, instances=instances))
    return sio.Labels(frames, skeletons=[skeleton])


def _instance(sio: ModuleType, skeleton: object, item: Labelled) -> object:
    place = np.where(item.visible[:, None] > 0, item.keypoints - CENTER, np.nan)
    if item.confidence is None:
        instance = sio.Instance.from_numpy(place, skeleton=skeleton)
    else:
        scores = np.where(item.visible > 0, item.confidence, np.nan)
        instance = sio.PredictedInstance.from_numpy(
            place, skeleton=skeleton, point_scores=scores, score=item.score
        )
    instance.points['visible'] = item.visible == 2
    return instance
