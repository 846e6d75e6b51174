"""python -m launch.evaluate: `tcam evaluate`, from a checkout."""

from tcam_jax.commands.evaluate import run

if __name__ == "__main__":
    run()
