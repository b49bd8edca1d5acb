"""Neurodata Without Borders: ``PoseTraining`` of ndx-pose in an ``.nwb`` file, by pynwb.

It holds neither boxes nor confidences. sleap-io's own reader of these files knows films alone, and
no lists of images, which is why this does without it.
"""

from __future__ import annotations

import uuid
import warnings
from datetime import datetime, timezone
from pathlib import Path
from types import ModuleType

import numpy as np

from fmmp.errors import InputError
from fmmp.files import atomic_path

from .labels import Labelled, Labels, choose, common_names, frame_path, image_size


def _packages() -> tuple[ModuleType, ModuleType]:
    try:
        import ndx_pose
        import pynwb
    except ImportError:
        raise InputError(
            "NWB's files need pynwb and ndx-pose: pip install 'fmmp[formats]', or the two"
        ) from None
    return pynwb, ndx_pose


def read(path: str | Path, category: str | None = None, images: str | Path | None = None) -> Labels:
    """Read the poses that a person labelled. A frame of a film is named ``film.mp4/17``.

    Args:
        path: the file.
        category: the skeleton's name, if there are several.
        images: the folder of the images, for sizes that the file does not have [that of the file].

    Raises:
        InputError: the file has no ``PoseTraining``, or a package is missing.
    """
    pynwb, ndx_pose = _packages()
    try:
        with warnings.catch_warnings(), pynwb.NWBHDF5IO(str(path), 'r') as file:
            warnings.simplefilter('ignore')
            content = file.read()
            frames = [
                _read_frame(frame)
                for module in content.processing.values()
                for part in module.data_interfaces.values()
                if isinstance(part, ndx_pose.PoseTraining) and part.training_frames
                for frame in part.training_frames.training_frames.values()
            ]
    except Exception as error:  # of any kind, from HDF5 up
        raise InputError(
            f'{path}: pynwb cannot read it as NWB ({type(error).__name__}: {error})'
        ) from error
    if not frames:
        raise InputError(f'{path}: no PoseTraining of ndx-pose in it')
    folder = Path(path).parent if images is None else Path(images)
    names = common_names(image for image, *_ in frames)
    found = {}
    for image, size, poses in frames:
        size = size or image_size(folder, names[image])
        for name, nodes, links, place, visible in poses:
            labels = found.setdefault(name, Labels(name, nodes, links))
            labels.items.append(Labelled(names[image], size, place, visible))
    return choose(found, category, path)


def _read_frame(frame: object) -> tuple[str, tuple[int, int] | None, list[tuple]]:
    """A frame's image, its height and width, and its poses."""
    video, number = frame.source_video, int(frame.source_video_frame_index or 0)
    image, size = str(frame.name), None
    if video is not None:
        image = frame_path([str(one) for one in video.external_file], number)
        if video.dimension is not None and min(video.dimension) > 0:
            width, height = map(int, video.dimension)
            size = height, width
    poses = []
    for pose in frame.skeleton_instances.skeleton_instances.values():
        place = np.asarray(pose.node_locations[:], float)[:, :2]
        known = np.isfinite(place).all(axis=1)
        seen = known if pose.node_visibility is None else np.asarray(pose.node_visibility[:], bool)
        visible = np.where(known, np.where(seen, 2, 1), 0)
        nodes = [str(node) for node in pose.skeleton.nodes[:]]
        edges = pose.skeleton.edges
        links = [] if edges is None else [(int(i), int(j)) for i, j in edges[:]]
        poses.append((str(pose.skeleton.name), nodes, links, place, visible))
    return image, size, poses


def write(labels: Labels, path: str | Path, images: str | Path | None = None) -> None:
    """Write a file, whose images lie outside of it.

    Args:
        labels: what to write.
        path: the file.
        images: the folder of the images, which are named by their full paths; else by their names.

    Raises:
        InputError: a package is missing.
    """
    pynwb, ndx_pose = _packages()
    content = pynwb.NWBFile(
        session_description='Labelled keypoints in images',
        identifier=str(uuid.uuid4()),
        session_start_time=datetime.now(timezone.utc),
    )
    skeleton = ndx_pose.Skeleton(
        name=labels.category.replace('/', '_').replace(':', '_'),  # no names of NWB's
        nodes=list(labels.names),
        edges=np.array(labels.skeleton, np.uint32).reshape(-1, 2),
    )
    series, frames = _frames(labels, images, skeleton, pynwb, ndx_pose)
    training = ndx_pose.PoseTraining(
        training_frames=ndx_pose.TrainingFrames(training_frames=frames),
        source_videos=ndx_pose.SourceVideos(image_series=series),
    )
    module = content.create_processing_module('behavior', 'Labelled keypoints')
    module.add([ndx_pose.Skeletons(skeletons=[skeleton]), training])
    with atomic_path(path) as scratch, pynwb.NWBHDF5IO(str(scratch), 'w') as file:
        file.write(content)


def _frames(
    labels: Labels,
    images: str | Path | None,
    skeleton: object,
    pynwb: ModuleType,
    ndx_pose: ModuleType,
) -> tuple[list, list]:
    """A series of images for each size, and a frame an image."""
    folder = None if images is None else Path(images).resolve()
    by_size = {}
    for image, items in labels.images().items():
        by_size.setdefault(items[0].size, []).append((image, items))
    series, frames = [], []
    for size, group in by_size.items():
        height, width = size or (0, 0)
        one = pynwb.image.ImageSeries(
            name=f'images_{height}x{width}',
            format='external',
            external_file=[image if folder is None else str(folder / image) for image, _ in group],
            starting_frame=list(range(len(group))),
            dimension=[width, height],
            rate=1.0,
            num_samples=len(group),
            unit='n.a.',
        )
        series.append(one)
        for number, (_, items) in enumerate(group):
            poses = [
                ndx_pose.SkeletonInstance(
                    name=f'instance_{position:04}',
                    skeleton=skeleton,
                    node_locations=np.where(item.visible[:, None] > 0, item.keypoints, np.nan),
                    node_visibility=item.visible == 2,
                )
                for position, item in enumerate(items)
            ]
            frames.append(
                ndx_pose.TrainingFrame(
                    name=f'frame_{len(frames):08}',
                    skeleton_instances=ndx_pose.SkeletonInstances(skeleton_instances=poses),
                    source_video=one,
                    source_video_frame_index=np.uint32(number),
                )
            )
    return series, frames
