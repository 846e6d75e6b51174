"""What a builder lists of raw files, without decoding them."""

from pathlib import Path

from tcam_jax.data.builders.findings import Findings
from tcam_jax.data.builders.sources import SourceFrame
from tcam_jax.data.builders.youtube_objects.builder import make_builder

Listed = dict[str, dict[str, list[SourceFrame]]]


def list_splits(config: str, root: Path, **options) -> tuple[Listed, list[tuple[str, str, str]]]:
    """{split: {"class/video/shot": frames}}, and (kind, where, detail) of what was found."""
    findings = Findings()
    builder = make_builder(config, data_dir=root.parent / "data", manual_dir=root, **options)
    listed: Listed = {}
    for split, shots in builder.splits(findings).items():
        listed[split] = {}
        for shot in shots:
            name = "/".join(shot[:3])
            listed[split][name] = list(shot.frames)
            assert len(listed[split][name]) == shot.num_frames > 0
    return listed, [tuple(finding) for finding in findings.all]


def names(listed: Listed, split: str) -> list[str]:
    """The ids of a split's frames, in order; of validation and test, of those with boxes."""
    return [
        frame.frame_id
        for frames in listed[split].values()
        for frame in frames
        if split == "train" or frame.boxes
    ]


def annotated(listed: Listed, split: str) -> dict[str, list[tuple]]:
    """{frame id: its boxes}, of the frames that have some."""
    return {name: found for name, found in boxes(listed, split).items() if found}


def boxes(listed: Listed, split: str) -> dict[str, list[tuple]]:
    """{frame id: its boxes}"""
    return {
        frame.frame_id: [box.corners for box in frame.boxes]
        for frames in listed[split].values()
        for frame in frames
    }
