"""Results of predictions in other formats: tcam convert --input=DIR --output=DIR --format=csv,coco.

Reads the lines of every predictions.jsonl at any depth below the inputs (--input may be repeated),
so that the folders of several shards become one. Formats: jsonl (all lines in one file), csv, coco,
mot, yolo; several with commas between them.
"""

import os
import sys
from pathlib import Path

from absl import flags

from tcam_jax.commands import command_line
from tcam_jax.predict.formats.records import Records, find_lines, unfinished
from tcam_jax.predict.formats.registry import FORMATS, check_formats, check_new, convert

_INPUT = flags.DEFINE_multi_string("input", None, "folder of tcam predict's results")
_OUTPUT = flags.DEFINE_string("output", None, "folder for the new files")
_FORMAT = flags.DEFINE_list("format", None, f"one or more of {', '.join(FORMATS)}")
_ROOT = flags.DEFINE_string(
    "root",
    None,
    "the folder that was predicted: names in results are relative to it; default: the deepest one "
    "that holds all files",
)


def main() -> None:
    """Convert."""
    formats = check_formats(_FORMAT.value, FORMATS)
    output = _path(_OUTPUT.value)
    check_new(output, formats)
    root = None if _ROOT.value is None else _path(_ROOT.value)
    records = Records(find_lines(map(_path, _INPUT.value)), root)
    for file in unfinished(records):
        print(f"warning: {file}: not predicted to its end; run tcam predict again", file=sys.stderr)
    written = convert(records, output, formats)
    frames, files = len(records), len(records.names)
    print(f"{frames} frames of {files} files: {', '.join(map(str, written))}")


def _path(given: str) -> Path:
    return Path(os.path.expanduser(given))


def run() -> None:
    """Run the command with the flags of the command line."""
    command_line.run(main, required=["input", "output", "format"])
