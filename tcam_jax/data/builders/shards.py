"""Writing a dataset shard by shard, so that an interrupted preparation keeps what it has done."""

import contextlib
import itertools
import json
import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import tensorflow_datasets as tfds
from array_record.python.array_record_module import ArrayRecordWriter

from tcam_jax.data.builders.findings import Finding, Findings
from tcam_jax.data.builders.images import CheckedFrame, check_frame
from tcam_jax.data.builders.shard_summary import ShardSummary, ShotSummary, read_summary
from tcam_jax.data.builders.sources import SourceShot
from tcam_jax.runtime.errors import InputError
from tcam_jax.runtime.read_ahead import read_ahead

FRAMES_PER_SHARD = 1024  # at 1280 x 720 about 150 MB
_MADE_AHEAD = 16  # frames, while those before are checked and written


class Shard(NamedTuple):
    """Whole shots of one split that are written to one file."""

    split: str
    number: int
    shots: list[SourceShot]

    @property
    def num_frames(self) -> int:
        """Frames of the source, usable or not."""
        return sum(shot.num_frames for shot in self.shots)

    @property
    def stem(self) -> str:
        """Name of its files, without suffix."""
        return f"{self.split}-{self.number:05d}"


def plan_shards(splits: dict[str, list[SourceShot]]) -> list[Shard]:
    """Cuts every split into shards of whole shots, of about `FRAMES_PER_SHARD` frames each."""
    shards: list[Shard] = []
    for split, shots in splits.items():
        ends = itertools.accumulate(shot.num_frames for shot in shots)
        # A shot belongs to the shard in which its last frame falls.
        numbers = [(end - 1) // FRAMES_PER_SHARD for end in ends]
        groups = itertools.groupby(zip(numbers, shots, strict=True), key=lambda pair: pair[0])
        for number, (_, group) in enumerate(groups):
            shards.append(Shard(split, number, [shot for _, shot in group]))
    return shards


class ShardWriter:
    """Checks and writes shards.

    Args:
        features: TFDS features of a record.
        class_names: position = class number.
        shrink_training_to: pixels of the square to which training frames are shrunk, if they are.
        skip_duplicates: leave out unboxed frames with the bytes of the frame before.
        pool: reads and decodes frames.
    """

    def __init__(
        self,
        features: tfds.features.FeaturesDict,
        class_names: Sequence[str],
        shrink_training_to: int | None,
        skip_duplicates: bool,
        pool: ThreadPoolExecutor,
    ):
        self._features = features
        self._label_of = {name: number for number, name in enumerate(class_names)}
        self._shrink_training_to = shrink_training_to
        self._skip_duplicates = skip_duplicates
        self._pool = pool

    def write(self, shard: Shard, folder: Path, findings: Findings, progress: Any) -> ShardSummary:
        """Writes `shard` into `folder`, or reads the summary of one that was finished earlier.

        Both files appear whole: they are written under another name and renamed, the summary last.

        Raises:
            InputError: the first fault, in a strict preparation.
        """
        records, summary_file = folder / f"{shard.stem}.array_record", folder / f"{shard.stem}.json"
        # The records alone may be gone: moved into a dataset that was never finished.
        if summary_file.exists() and records.exists():
            summary = read_summary(summary_file, shard.split, shard.shots)
            # Files that could not be read may have got other permissions since.
            if summary and not any(found.kind == "unreadable" for found in summary.findings):
                for finding in summary.findings:
                    findings.add(finding)
                progress.update(shard.num_frames)
                return summary
        unfinished = folder / f"{shard.stem}.unfinished"
        with _disk(unfinished):
            # One record a group: the group is what is read and decompressed at once.
            writer = ArrayRecordWriter(str(unfinished), "group_size:1")

        def put(record: bytes) -> None:
            with _disk(unfinished):
                writer.write(record)

        try:
            summary = self._fill(shard, put, findings, progress)
        finally:
            with _disk(unfinished):
                writer.close()
        os.replace(unfinished, records)
        unfinished.write_text(json.dumps(vars(summary)))
        os.replace(unfinished, summary_file)
        return summary

    def check(self, shard: Shard, findings: Findings, progress: Any) -> ShardSummary:
        """Like `write`, but writes nothing."""
        return self._fill(shard, lambda record: None, findings, progress)

    def _fill(
        self, shard: Shard, put: Callable[[bytes], None], findings: Findings, progress: Any
    ) -> ShardSummary:
        summary = ShardSummary(shard.split)

        def note(finding: Finding) -> None:
            findings.add(finding)
            summary.findings.append(finding)

        checked = self._checked_frames(shard)
        for shot in shard.shots:
            name = f"{shot.class_name}/{shot.video}/{shot.shot}"
            written = ShotSummary(shot.class_name, shot.video, shot.shot, [])
            previous: CheckedFrame | None = None
            for frame, faults in itertools.islice(checked, shot.num_frames):
                progress.update()
                for fault in faults:
                    note(fault)
                if frame is None:
                    continue
                if (
                    self._skip_duplicates
                    and previous is not None
                    and previous.source_digest == frame.source_digest
                    and not len(frame.boxes)
                ):
                    note(Finding("duplicate", frame.frame_id, f"as {previous.frame_id}"))
                    continue
                previous = frame
                record = self._serialise(shot, len(written.boxes), frame)
                summary.num_bytes += len(record)
                summary.sizes[f"{frame.width}x{frame.height}"] += 1
                written.boxes.append(len(frame.boxes))
                put(record)
            if not written.boxes:
                note(Finding("empty_shot", name, "all of its frames were skipped"))
                continue
            # Held-out splits may keep only the annotated frame of a shot.
            if len(written.boxes) == 1 and shard.split == "train":
                note(Finding("one_frame_shot", name))
            summary.shots.append(written)
        return summary

    def _checked_frames(self, shard: Shard) -> Iterator[tuple[CheckedFrame | None, list[Finding]]]:
        """The shard's frames in order; making and decoding them leaves Python's lock."""
        shrink_to = self._shrink_training_to if shard.split == "train" else None
        ahead: deque[Future] = deque()
        # Frames may be drawn, or cut out of a video, when they are asked for.
        frames = (frame for shot in shard.shots for frame in shot.frames)
        for frame in read_ahead(frames, _MADE_AHEAD):
            ahead.append(self._pool.submit(check_frame, frame, shrink_to))
            # Bounds the memory; enough for a thread never to wait.
            if len(ahead) > 256:
                yield ahead.popleft().result()
        while ahead:
            yield ahead.popleft().result()

    def _serialise(self, shot: SourceShot, index: int, frame: CheckedFrame) -> bytes:
        video = f"{shot.class_name}/{shot.video}"
        return self._features.serialize_example(
            {
                "image": frame.jpeg,
                "label": self._label_of[shot.class_name],
                "frame_id": frame.frame_id,
                "video": video,
                "shot": f"{video}/{shot.shot}",
                "index_in_shot": index,
                "width": frame.width,
                "height": frame.height,
                "boxes": frame.boxes,
            }
        )


@contextlib.contextmanager
def _disk(file: Path) -> Iterator[None]:
    """Faults of the disk as InputError: ArrayRecordWriter reports them as RuntimeError."""
    try:
        yield
    except RuntimeError as error:
        raise InputError(
            f"{file} cannot be written ({error}); make room or mend the permissions, and prepare "
            "again: finished shards are kept"
        ) from error
