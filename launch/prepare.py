"""python -m launch.prepare: `tcam prepare`, from a checkout."""

from tcam_jax.commands.prepare import run

if __name__ == "__main__":
    run()
