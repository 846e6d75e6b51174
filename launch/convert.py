"""python -m launch.convert: `tcam convert`, from a checkout."""

from tcam_jax.commands.convert import run

if __name__ == "__main__":
    run()
