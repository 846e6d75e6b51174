"""Results of predictions in other formats: tcam convert --input=DIR --output=DIR --format=csv,coco.

Reads the lines of every predictions.jsonl at any depth below the inputs, so that the folders of
several shards become one; shards that are missing, and files without all their frames, are named.
Formats: jsonl (all lines in one file), csv, coco, mot, yolo; several with commas between them.
"""

import os
from collections.abc import Iterator
from pathlib import Path

from absl import flags

from tcam_jax.commands import command_line
from tcam_jax.predict.formats.jsonl_file import check_apart
from tcam_jax.predict.formats.records import Records, find_lines, unfinished
from tcam_jax.predict.formats.registry import FORMATS, check_formats, check_new, convert
from tcam_jax.predict.shards import missing_shards
from tcam_jax.runtime.counted import counted
from tcam_jax.runtime.terminal import say

_INPUT = command_line.define_paths("input", "folder of tcam predict's results")
_OUTPUT = command_line.define_path("output", "folder for the new files")
_FORMAT = flags.DEFINE_list("format", None, f"one or more of {', '.join(FORMATS)}")
_ROOT = command_line.define_path(
    "root",
    "the folder that was predicted: names in results are relative to it; default: the deepest one "
    "that holds all files",
)


def main() -> None:
    """Convert."""
    formats = check_formats(_FORMAT.value, FORMATS)
    output, inputs = Path(_OUTPUT.value), list(map(Path, _INPUT.value))
    paths = find_lines(inputs)
    if "jsonl" in formats:
        check_apart(output, inputs, paths)
    check_new(output, formats)
    root = None if _ROOT.value is None else Path(_ROOT.value)
    records = Records(paths, root)
    for warning in _missing(records):
        say(f"warning: {warning}", error=True)
    written = convert(records, output, formats)
    frames = counted(len(records), "frame")
    say(f"{frames} of {counted(len(records.sources), 'file')}: {', '.join(map(str, written))}")


def _missing(records: Records) -> Iterator[str]:
    for folder in missing_shards(path.absolute().parent for path in records.paths):
        shown = os.path.relpath(folder)
        shown = str(folder) if shown.startswith("..") else shown
        yield f"{shown}: this shard is missing; run it, or give its folder too"
    for file in unfinished(records):
        numbers, _ = records.sources[file]
        folders = ", ".join(str(records.paths[number].parent) for number in sorted(numbers))
        yield f"{file}: not all its frames are in {folders}; run the same tcam predict again"


def run() -> None:
    """Run the command with the flags of the command line."""
    command_line.run(main, required=["input", "output", "format"])
