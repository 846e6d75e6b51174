"""What all dataset builders share: one record per frame, shots in order, the shot table beside."""

import abc
import contextlib
import hashlib
import json
import shutil
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NoReturn

import tensorflow_datasets as tfds
from tqdm import tqdm

from tcam_jax.data import shot_table
from tcam_jax.data.builders.dataset_report import REPORT_FILE, make_report
from tcam_jax.data.builders.features import frame_features
from tcam_jax.data.builders.findings import RULES, Findings
from tcam_jax.data.builders.registry import training_size
from tcam_jax.data.builders.shard_summary import ShardSummary
from tcam_jax.data.builders.shards import Shard, ShardWriter, plan_shards
from tcam_jax.data.builders.sources import SourceShot
from tcam_jax.data.builders.unfinished import Unfinished, link_or_move
from tcam_jax.data.class_names import check_class_names
from tcam_jax.data.shot_table import Row, ShotTable
from tcam_jax.runtime.cores import usable_cores
from tcam_jax.runtime.errors import InputError


class ShotDatasetBuilder(tfds.core.dataset_builder.FileReaderBuilder, skip_registration=True):
    """Base of the builders: a subclass says `class_names()`, `splits()` and `origin()`.

    Shards are written one after the other into a folder that survives an interruption; when all
    are there, they become a dataset at once. Beside the records lie `index.npz` (the shot table),
    `origin.json` (what the dataset was made from) and `dataset_report.json`.

    `strict`: set it to stop at the first fault that is not in `published`, the kinds of faults
    that the dataset has as its authors publish it. `skip_duplicates`: leave out a frame with the
    same bytes as the one before it in its shot, unless it has boxes.
    """

    VERSION = tfds.core.Version("1.0.0")
    published: frozenset[str] = frozenset()
    skip_duplicates = False
    strict = False

    def __init__(self, **kwargs: Any):
        # The one format that is read at random.
        super().__init__(**{"file_format": "array_record", **kwargs})

    @classmethod
    def check_configuration(cls, config: str) -> None:
        """Refuse a configuration that the builder does not have.

        Raises:
            InputError: `config` is no name of one of `BUILDER_CONFIGS`.
        """
        names = [known.name for known in cls.BUILDER_CONFIGS]
        if config not in names:
            raise InputError(
                f"unknown configuration {config!r} of {cls.name}; known: {', '.join(names)}"
            )

    @abc.abstractmethod
    def class_names(self) -> Sequence[str]:
        """Names of the classes; position = class number."""

    @abc.abstractmethod
    def splits(self, findings: Findings) -> dict[str, list[SourceShot]]:
        """The shots of every split; what is wrong with files goes to `findings`."""

    @abc.abstractmethod
    def origin(self) -> dict[str, Any]:
        """What the dataset is made from, JSON-able: another origin is another dataset."""

    @property
    def work_folder(self) -> Path:
        """For unpacked archives and the like: survives an interruption, goes when all is done."""
        return self._unfinished.sources

    @property
    def _unfinished(self) -> Unfinished:
        # `data_dir` is TFDS's temporary folder during a preparation; both have the same parent.
        return Unfinished(Path(self.data_dir).parent / f"{self.version}.unfinished")

    def validate(self, findings: Findings) -> dict[str, Any]:
        """Reads and decodes everything, writes no record, and returns the report."""
        unfinished = self._unfinished
        with unfinished.locked():
            with self._writing(findings) as (writer, shards, progress):
                summaries = [writer.check(shard, findings, progress) for shard in shards]
            if unfinished.worthless or Path(self.data_dir).exists():
                unfinished.remove()
        return self._report(summaries, findings)

    def _log_download_bytes(self) -> None:
        """Nothing: what TFDS would say, of sizes it does not know."""

    def _log_download_done(self) -> None:
        """Nothing: the report says it."""

    def download_and_prepare(self, **kwargs: Any) -> None:
        """As TFDS has it; other processes stay out until the finished dataset has its name."""
        with self._unfinished.locked():
            super().download_and_prepare(**kwargs)
            self._unfinished.remove()

    def _info(self) -> tfds.core.DatasetInfo:
        check_class_names(self.class_names(), f"{self.name}/{self.builder_config.name}")
        info = self.dataset_info_from_configs(
            features=frame_features(self.class_names()), disable_shuffling=True
        )
        # Nothing of ours is in TFDS's bucket; asked for it, it leaves an empty temporary folder.
        setattr(info, "initialize_from_bucket", lambda: None)  # noqa: B010
        return info

    def _download_and_prepare(self, dl_manager: Any, download_config: Any) -> None:
        findings = Findings(self.strict, self.published)
        self._clear_away_abandoned()
        folder = self._unfinished.folder
        with self._writing(findings) as (writer, shards, progress):
            summaries = [writer.write(shard, folder, findings, progress) for shard in shards]
        report = self._report(summaries, findings)
        self._finish(shards, summaries, Path(self.data_dir), report)

    def _clear_away_abandoned(self) -> None:
        """Removes TFDS's temporary folders of processes that were killed; we hold the lock."""
        ours = Path(self.data_dir)
        for folder in ours.parent.glob(f"incomplete.*_{self.version}"):
            if folder != ours:
                shutil.rmtree(folder)

    @contextlib.contextmanager
    def _writing(
        self, findings: Findings
    ) -> Iterator[tuple[ShardWriter, list[Shard], "tqdm[NoReturn]"]]:
        """What to write, what writes it, and the bar that shows how far it is."""
        shards = self._plan(findings)
        total = sum(shard.num_frames for shard in shards)
        num_threads = usable_cores()
        with (
            ThreadPoolExecutor(num_threads) as pool,
            tqdm(total=total, desc=self.info.full_name, unit=" frames", disable=None) as progress,
        ):
            writer = ShardWriter(
                features=self.info.features,
                class_names=self.class_names(),
                shrink_training_to=training_size(self.builder_config.name),
                skip_duplicates=self.skip_duplicates,
                pool=pool,
            )
            yield writer, shards, progress

    def _plan(self, findings: Findings) -> list[Shard]:
        """The shards, after clearing away what an earlier preparation left that does not fit."""
        unfinished = self._unfinished
        unfinished.keep_if_same_origin(json.dumps(self.origin(), indent=1))
        splits = self.splits(findings)
        for split, shots in splits.items():
            if not shots:
                raise InputError(
                    f"expected at least one shot in split {split!r} of {self.name}, got none; "
                    "add videos or change the split"
                )
        shards = plan_shards(splits)
        plan = hashlib.sha256()
        for shard in shards:
            for shot in shard.shots:
                plan.update(repr((shard.stem, *shot[:4])).encode())
        unfinished.keep_if_same_plan(plan.hexdigest())
        return shards

    def _report(self, summaries: list[ShardSummary], findings: Findings) -> dict[str, Any]:
        """The report.

        Raises:
            InputError: a class has no usable frame to train on, or a split none at all.
        """
        report = make_report(
            self.name, self.builder_config.name, self.class_names(), summaries, findings
        )
        for split, counts in report["splits"].items():
            missing = [name for name, count in counts["classes"].items() if not count["frames"]]
            # A class may be absent where scores are measured, but not where it is learnt.
            if missing and (split == "train" or len(missing) == len(counts["classes"])):
                skipped = (f for f in findings.all if RULES[f.kind].action == "skipped")
                first = next(skipped, "nothing was found wrong with the files")
                raise InputError(
                    f"{self.name} has no usable frame of class {', '.join(missing)} in split "
                    f"{split!r}; add videos or remove the class. What was found first: {first}"
                )
        return report

    def _finish(
        self,
        shards: list[Shard],
        summaries: list[ShardSummary],
        folder: Path,
        report: dict[str, Any],
    ) -> None:
        """Makes the finished shards a dataset in `folder`, which TFDS then renames."""
        split_infos, tables = [], {}
        for split in dict.fromkeys(shard.split for shard in shards):
            # A shard whose frames were all skipped is no file.
            written = [
                (shard, summary)
                for shard, summary in zip(shards, summaries, strict=True)
                if shard.split == split and summary.num_records
            ]
            template = self._get_filename_template(split_name=split)
            for number, (shard, _) in enumerate(written):
                target = template.sharded_filepath(shard_index=number, num_shards=len(written))
                source = self._unfinished.folder / f"{shard.stem}.array_record"
                link_or_move(source, Path(target))
            split_infos.append(
                tfds.core.SplitInfo(
                    name=split,
                    shard_lengths=[summary.num_records for _, summary in written],
                    num_bytes=sum(summary.num_bytes for _, summary in written),
                    filename_template=template,
                )
            )
            tables[split] = ShotTable.from_rows(self._rows([summary for _, summary in written]))
        self.info.set_splits(tfds.core.splits.SplitDict(split_infos))
        shot_table.save_tables(folder / shot_table.FILE_NAME, tables)
        shutil.copy(self._unfinished.origin, folder)
        (folder / REPORT_FILE).write_text(json.dumps(report, indent=1))

    def _rows(self, summaries: list[ShardSummary]) -> Iterator[Row]:
        label_of = {name: number for number, name in enumerate(self.class_names())}
        for summary in summaries:
            for class_name, video, shot, boxes in summary.shots:
                video = f"{class_name}/{video}"
                for index, count in enumerate(boxes):
                    label = label_of[class_name]
                    yield Row(video, f"{video}/{shot}", index, label, count > 0)
