"""python -m launch.import_weights: `tcam import_weights`, from a checkout."""

from tcam_jax.commands.import_weights import run

if __name__ == "__main__":
    run()
