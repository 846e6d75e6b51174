"""python -m launch.train: `tcam train`, from a checkout."""

from tcam_jax.commands.train import run

if __name__ == "__main__":
    run()
