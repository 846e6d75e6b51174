"""The console command: `tcam NAME --flag=value …`."""

import difflib
import importlib
import sys
from importlib import metadata

from tcam_jax.runtime.huge_pages import start_again_with_huge_pages
from tcam_jax.runtime.interruption import end_at_ctrl_c
from tcam_jax.runtime.streams import keep_streams
from tcam_jax.runtime.terminal import say

COMMANDS = {
    "prepare": "read videos or frames into a dataset, or only say what is wrong with them",
    "seed_maps": "maps of the training frames by CLIP or CLIPSeg, to draw seeds from",
    "train": "train both stages and evaluate; goes on where it was stopped",
    "evaluate": "score a trained run",
    "predict": "classes, boxes and overlays for images and videos",
    "convert": "predictions as CSV, COCO, MOT or YOLO; those of several shards as one",
    "app": "a page in the browser to try a network on images and videos",
    "report": "one HTML page about a run",
    "ablate": "the paper's ablations, or what is left of them",
    "import_weights": "a run from weights trained elsewhere",
    "export_weights": "a run's weights as one file",
    "export_model": "a run as a folder that predicts without this package",
}


def main() -> None:
    """Run the subcommand that the command line names."""
    keep_streams()
    name, *arguments = sys.argv[1:] or ["--help"]
    if name in ("--help", "-h", "help"):
        width = max(map(len, COMMANDS))
        say("usage: tcam COMMAND --flag=value …    (tcam COMMAND --help: its flags)", "")
        for command, purpose in COMMANDS.items():
            say(f"  {command:{width}}  {purpose}")
        return
    if name == "--version":
        say(f"tcam_jax {metadata.version('tcam_jax')}")
        return
    if name not in COMMANDS:
        near = difflib.get_close_matches(name, COMMANDS, 1)
        hint = f"; did you mean {near[0]}?" if near else ""
        say(f"error: tcam knows {', '.join(COMMANDS)}; got {name!r}{hint}", error=True)
        sys.exit(2)
    start_again_with_huge_pages()
    sys.argv = [f"tcam {name}", *arguments]
    end_at_ctrl_c()
    # The one module alone: each defines its flags, and loads what it needs.
    importlib.import_module(f"tcam_jax.commands.{name}").run()
