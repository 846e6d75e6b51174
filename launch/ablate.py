"""python -m launch.ablate: `tcam ablate`, from a checkout."""

from tcam_jax.commands.ablate import run

if __name__ == "__main__":
    run()
