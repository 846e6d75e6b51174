"""python -m launch.predict: `tcam predict`, from a checkout."""

from tcam_jax.commands.predict import run

if __name__ == "__main__":
    run()
