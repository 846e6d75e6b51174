"""python -m launch.export_weights: `tcam export_weights`, from a checkout."""

from tcam_jax.commands.export_weights import run

if __name__ == "__main__":
    run()
