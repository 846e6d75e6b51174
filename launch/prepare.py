"""Prepare a config's dataset: python -m launch.prepare --config=FILE [--manual_dir=] [--data_dir=].

A dataset that is already prepared is left as it is.
"""

from absl import flags
from ml_collections import config_flags

from launch import command
from tcam_jax.data.builders import registry

_CONFIG = config_flags.DEFINE_config_file("config", None, "experiment, such as configs/demo.py")
_MANUAL_DIR = flags.DEFINE_string("manual_dir", None, "the user's files (video_folder)")
_DATA_DIR = flags.DEFINE_string("data_dir", None, "where prepared datasets live")


def main() -> None:
    """Prepare the dataset and say where it is."""
    dataset = _CONFIG.value.dataset
    directory = registry.prepare(
        dataset.name,
        dataset.config,
        data_dir=_DATA_DIR.value or dataset.data_dir,
        manual_dir=_MANUAL_DIR.value or dataset.manual_dir or None,
        **dataset.options,
    )
    print(f"dataset: {directory}")


if __name__ == "__main__":
    command.run(main, required=["config"])
