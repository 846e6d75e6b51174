"""python -m launch.seed_maps: `tcam seed_maps`, from a checkout."""

from tcam_jax.commands.seed_maps import run

if __name__ == "__main__":
    run()
