"""python -m launch.export_model: `tcam export_model`, from a checkout."""

from tcam_jax.commands.export_model import run

if __name__ == "__main__":
    run()
