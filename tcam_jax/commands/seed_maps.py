"""Seed maps of CLIP or CLIPSeg: tcam seed_maps --config=FILE --weights=DIR --output=DIR.

Makes a map of every training frame of the config's dataset from the name of its class, as
--config.tcam.seed_source=files reads them. The weights are yours: the folder of a CLIP model (its
gradient CAM) or of CLIPSeg, as transformers saves them; nothing is fetched. What was stopped goes
on with the frames that have no map yet. Needs pip install 'tcam_jax[seed-maps]'.
"""

from pathlib import Path

from absl import flags

from tcam_jax.commands import command_line, config_flag

_CONFIG = config_flag.define_config()
_WEIGHTS = command_line.define_path("weights", "folder of a CLIP or CLIPSeg model")
_OUTPUT = command_line.define_path("output", "folder of the maps")
_TEMPLATE = flags.DEFINE_string(
    "template",
    None,
    'text around the name of a class, "{}"; default: "a clean origami {}." for CLIP, "{}" for '
    "CLIPSeg",
)
_SIZE = flags.DEFINE_integer(
    "size", None, "side of the square that the model sees, pixels; default: as it was trained", 1
)
_BATCH_SIZE = flags.DEFINE_integer("batch_size", 8, "frames at once", 1)


def main() -> None:
    """Make the maps."""
    from tcam_jax.data.background import localised
    from tcam_jax.data.dataset import Dataset
    from tcam_jax.pseudo_labels.text_maps.model import open_text_maps
    from tcam_jax.pseudo_labels.text_maps.writing import digest_of, write_maps
    from tcam_jax.runs.identity import content_of
    from tcam_jax.runtime.counted import counted
    from tcam_jax.runtime.terminal import say

    config = _CONFIG.value
    data = localised(config, Dataset(config))
    weights = Path(_WEIGHTS.value)
    make = open_text_maps(weights, data.class_names, _TEMPLATE.value, _SIZE.value)
    split, folder = data.records("train"), Path(_OUTPUT.value)
    made_by = {
        "model": make.kind,
        "weights": digest_of(weights),
        "dataset": split.name,
        "content": content_of(config, data),
    }
    done = write_maps(split, make, folder, config.dataset.resize, _BATCH_SIZE.value, made_by)
    say(f"{counted(done.made, 'map')} made, {done.there} there before: {folder}")
    if done.damaged:
        say(f"warning: {counted(done.damaged, 'damaged frame')} without a map", error=True)
    say(f"use: --config.tcam.seed_source=files --config.tcam.seed_dir={folder}")


def run() -> None:
    """Run the command with the flags of the command line."""
    command_line.run(main, required=["config", "weights", "output"])
