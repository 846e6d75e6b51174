"""TFDS builder of `youtube_objects`: both published versions, from the raw downloads."""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import tensorflow_datasets as tfds
from tqdm import tqdm

from tcam_jax.data.builders.findings import Findings
from tcam_jax.data.builders.registry import LEAST_VERSIONS
from tcam_jax.data.builders.shot_builder import ShotDatasetBuilder
from tcam_jax.data.builders.sources import SourceShot
from tcam_jax.data.builders.youtube_objects.downloads import Downloads, how_to
from tcam_jax.data.builders.youtube_objects.listed_splits import listed_splits
from tcam_jax.data.builders.youtube_objects.raw_shots import in_order
from tcam_jax.data.builders.youtube_objects.raw_v1 import RawV1
from tcam_jax.data.builders.youtube_objects.raw_v2 import RawV2
from tcam_jax.data.builders.youtube_objects.reference_splits import reference_splits
from tcam_jax.data.builders.youtube_objects.wsol_lists import digest, read_lists
from tcam_jax.runtime.errors import InputError

_LAYOUTS = {"v1.0": RawV1, "v2.2": RawV2}

_logger = logging.getLogger(__name__)


class YoutubeObjects(ShotDatasetBuilder):
    """Ten classes of videos with few annotated frames (Prest et al. 2012; Kalogeiton et al. 2016).

    Training has all frames of its videos and no boxes, though the authors annotated some of those
    frames: the supervision is weak, and lists have no such boxes either. Validation and test have
    the frames with boxes, which alone are evaluated, and those beside each against which motion is
    seen. With lists, each split has what they name, and those beside boxes too.

    A video that is annotated for training and for test is for test alone.

    Args:
        config: name of one of `BUILDER_CONFIGS`.
        data_dir: where prepared datasets live.
        downloads: the raw files.
        splits_dir: folder of lists in the wsolevaluation format; "": the authors' rule.
    """

    VERSION = tfds.core.Version(LEAST_VERSIONS["youtube_objects"])
    BUILDER_CONFIGS = [
        tfds.core.BuilderConfig(name="v1.0", description="Version 1.0."),
        tfds.core.BuilderConfig(name="v2.2", description="Version 2.2."),
        tfds.core.BuilderConfig(name="v1.0_train256", description="Training frames 256 x 256."),
        tfds.core.BuilderConfig(name="v2.2_train256", description="Training frames 256 x 256."),
    ]
    # The authors' files have these: shots without frames, boxes that begin at -1, two boxes that
    # need mending, videos that nobody annotated, frames between two shots.
    published = frozenset(
        ("empty_shot", "box_clipped", "box_known", "unlabelled_video", "frame_without_shot")
    )

    def __init__(self, *, config: str, data_dir: str | Path, downloads: Downloads, splits_dir: str):
        self._downloads, self._splits_dir = downloads, splits_dir  # `super` asks for the classes
        super().__init__(config=config, data_dir=data_dir)

    def class_names(self) -> Sequence[str]:
        """Names of the classes' folders and archives, sorted."""
        return self._downloads.classes

    def origin(self) -> dict[str, Any]:
        """The folder of the downloads, what is in it, and the way of splitting."""
        return {
            "manual_dir": str(self._downloads.root.resolve()),
            "classes": self._downloads.classes,
            **self._downloads.fingerprint(),
            "splits_dir": self._splits_dir,
            "splits": digest(Path(self._splits_dir)) if self._splits_dir else "reference",
        }

    def splits(self, findings: Findings) -> dict[str, list[SourceShot]]:
        """The shots of each split, by class, video and shot in natural order."""
        downloads = self._downloads
        if downloads.missing_classes:
            _logger.warning(
                "%s lacks %d of the published classes: %s",
                downloads.root,
                len(downloads.missing_classes),
                ", ".join(downloads.missing_classes),
            )
        lists = read_lists(Path(self._splits_dir)) if self._splits_dir else None
        layout = _LAYOUTS[downloads.version](downloads, self.work_folder)
        shots, annotations = {}, {}
        for name in tqdm(downloads.classes, desc="listing", unit=" classes", disable=None):
            shots[name] = layout.shots(name, findings)
            if lists is None:
                annotations[name] = layout.annotations(name, shots[name], findings)
        if lists is None:
            splits = reference_splits(downloads.version, shots, annotations)
        else:
            splits = listed_splits(lists, shots, findings)
        return {split: in_order(chosen) for split, chosen in splits.items()}


def make_builder(
    config: str, *, data_dir: str | Path, manual_dir: str | Path | None, splits_dir: str = ""
) -> YoutubeObjects:
    """The builder of one version.

    Args:
        config: "v1.0" or "v2.2"; with "_train256", training frames are stored as squares of 256
            pixels.
        data_dir: where prepared datasets live.
        manual_dir: the raw downloads, as folders or as archives.
        splits_dir: lists in the wsolevaluation format, in folders train, val and test; "": the
            rule by which the authors of TCAM chose their splits.

    Raises:
        InputError: an unknown configuration, no such folder, or no class in it.
    """
    YoutubeObjects.check_configuration(config)
    version = config.removesuffix("_train256")
    if manual_dir is None or not Path(manual_dir).is_dir():
        raise InputError(
            f"youtube_objects needs manual_dir, the folder of the raw downloads, got {manual_dir}; "
            f"{how_to(version)}"
        )
    if splits_dir and not Path(splits_dir).is_dir():
        raise InputError(f"there is no folder of lists {splits_dir}; correct splits_dir")
    return YoutubeObjects(
        config=config,
        data_dir=data_dir,
        downloads=Downloads(version, Path(manual_dir)),
        splits_dir=str(splits_dir),
    )
