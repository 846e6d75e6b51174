"""What a finished shard holds, written beside it: read again where a preparation goes on."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple, TypedDict

from tcam_jax.data.builders.findings import RULES, Finding
from tcam_jax.data.builders.sources import SourceShot
from tcam_jax.runtime.errors import InputError
from tcam_jax.runtime.json_files import read_json
from tcam_jax.runtime.shapes import Count, FileName


class ShotSummary(NamedTuple):
    """One written shot: the number of boxes of each of its frames."""

    class_name: str
    video: str
    shot: str
    boxes: list[int]


@dataclass
class ShardSummary:
    """What one finished shard holds, written beside it as JSON.

    `num_bytes`: of its records. `sizes`: frames per size, "1280x720". `findings`: its faults.
    """

    split: str
    num_bytes: int = 0
    shots: list[ShotSummary] = field(default_factory=list)
    sizes: Counter[str] = field(default_factory=Counter)
    findings: list[Finding] = field(default_factory=list)

    @property
    def num_records(self) -> int:
        """Records (frames) written."""
        return sum(len(shot.boxes) for shot in self.shots)


class _Stored(TypedDict):
    split: str
    num_bytes: Count
    shots: list[tuple[str, FileName, FileName, list[Count]]]  # of a ShotSummary
    sizes: dict[str, Count]
    findings: list[tuple[str, FileName, FileName]]


def read_summary(path: Path, split: str, shots: Sequence[SourceShot]) -> ShardSummary | None:
    """The summary of a finished shard, of these `shots` of `split`; None of a damaged one."""
    try:
        stored: _Stored = read_json(path, _Stored, "")
        names = {(shot.class_name, shot.video, shot.shot) for shot in shots}
        wrong = stored["split"] != split or {shot[:3] for shot in stored["shots"]} - names
        if wrong or any(finding[0] not in RULES for finding in stored["findings"]):
            return None
    except InputError:
        return None
    return ShardSummary(
        split=stored["split"],
        num_bytes=stored["num_bytes"],
        shots=[ShotSummary(*shot) for shot in stored["shots"]],
        sizes=Counter(stored["sizes"]),
        findings=[Finding(*finding) for finding in stored["findings"]],
    )
