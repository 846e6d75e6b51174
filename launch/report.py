"""python -m launch.report: `tcam report`, from a checkout."""

from tcam_jax.commands.report import run

if __name__ == "__main__":
    run()
