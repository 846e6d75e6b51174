"""Prepare a config's dataset: tcam prepare --config=FILE [--manual_dir=] [--data_dir=].

A dataset that is already prepared is left as it is; an interrupted preparation goes on. With
--validate nothing is prepared: all source files are read, and what is wrong with them is printed.
"""

import sys

from absl import flags

from tcam_jax.commands import command_line, config_flag
from tcam_jax.data.builders import registry
from tcam_jax.data.builders.dataset_report import REPORT_FILE, in_words, read_report
from tcam_jax.data.builders.findings import HARMLESS
from tcam_jax.runtime.extras import require
from tcam_jax.runtime.log import log_to_terminal
from tcam_jax.runtime.terminal import say

_CONFIG = config_flag.define_config()
_MANUAL_DIR = command_line.define_path("manual_dir", "the raw files, for datasets that need them")
_DATA_DIR = command_line.define_path("data_dir", "where prepared datasets live")
_SPLITS_DIR = command_line.define_path(
    "splits_dir", "youtube_objects: lists that say what is in train, val and test"
)
_STRICT = flags.DEFINE_bool("strict", False, "stop at the first fault of the source files")
_VALIDATE = flags.DEFINE_bool("validate", False, "only say what is wrong with the source files")


def main() -> None:
    """Prepare the dataset, or only validate its source files, and say what was found."""
    require("train", *registry.NEEDED)
    log_to_terminal()

    dataset = _CONFIG.value.dataset
    options = dict(dataset.options)
    if _SPLITS_DIR.value:
        options["splits_dir"] = _SPLITS_DIR.value
    arguments = {
        "data_dir": _DATA_DIR.value or dataset.data_dir,
        "manual_dir": _MANUAL_DIR.value or dataset.manual_dir or None,
        "strict": _STRICT.value,
        **options,
    }
    if _VALIDATE.value:
        report = registry.validate(dataset.name, dataset.config, **arguments)
        say(*in_words(report).split("\n"))
        faults = [k for k in report["findings"].values() if k["action"] not in HARMLESS]
        sys.exit(1 if faults else 0)
    folder = registry.prepare(dataset.name, dataset.config, **arguments)
    say(*in_words(read_report(folder)).split("\n"))
    say(f"report: {folder / REPORT_FILE}", f"dataset: {folder}")


def run() -> None:
    """Run the command with the flags of the command line."""
    command_line.run(main, required=["config"])
