"""python -m launch.app: `tcam app`, from a checkout."""

from tcam_jax.commands.app import run

if __name__ == "__main__":
    run()
