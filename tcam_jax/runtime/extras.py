"""What a plain `pip install` leaves out, asked for where it is needed."""

from importlib.util import find_spec

from tcam_jax.runtime.errors import InputError


def require(extra: str, *packages: str) -> None:
    """Refuse to go on without `packages` that the package's `extra` brings.

    Raises:
      InputError: one of them is not installed.
    """
    missing = [package for package in packages if find_spec(package) is None]
    if missing:
        raise InputError(
            f"{', '.join(missing)} must be installed for this, and is not: "
            f"pip install 'tcam_jax[{extra}]'"
        )
