"""Results of predictions in other formats: tcam convert --input=DIR --output=DIR --format=csv,coco.

Reads the lines of every predictions.jsonl at any depth below the inputs (--input may be repeated),
so that the folders of several shards become one. Formats: jsonl (all lines in one file), csv, coco,
mot, yolo; several with commas between them.
"""

import sys
from pathlib import Path

from absl import flags

from tcam_jax.commands import command_line
from tcam_jax.predict.formats.records import Records, find_lines, unfinished
from tcam_jax.predict.formats.registry import FORMATS, check_formats, check_new, convert

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
    output = Path(_OUTPUT.value)
    check_new(output, formats)
    root = None if _ROOT.value is None else Path(_ROOT.value)
    records = Records(find_lines(map(Path, _INPUT.value)), root)
    for file in unfinished(records):
        print(f"warning: {file}: not predicted to its end; run tcam predict again", file=sys.stderr)
    written = convert(records, output, formats)
    frames, files = len(records), len(records.names)
    print(f"{frames} frames of {files} files: {', '.join(map(str, written))}")


def run() -> None:
    """Run the command with the flags of the command line."""
    command_line.run(main, required=["input", "output", "format"])
