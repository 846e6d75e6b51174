"""Several processes train together only where all were started alike: compared, not trusted.

Otherwise each would compute its share of another step, and nothing would show it.
"""

from collections.abc import Mapping
from importlib import metadata

import jax
from ml_collections import ConfigDict

from tcam_jax.config.record import RECORDED_PACKAGES, git_revision
from tcam_jax.config.rules import flatten
from tcam_jax.data.protocol import Data
from tcam_jax.runs.identity import content_of
from tcam_jax.runtime import processes
from tcam_jax.runtime.errors import InputError

# A host may see the same files elsewhere; what is in them is compared.
_PLACES = ("dataset.data_dir", "dataset.manual_dir", "tcam.seed_dir", "model.pretrained")


def check_same_config(config: ConfigDict) -> None:
    """Compare config, code and packages of all processes, which call it together.

    Raises:
      InputError: in all of them, it names what differs.
    """
    if jax.process_count() == 1:
        return
    facts: dict[str, object] = {
        f"config.{name}": value for name, value in flatten(config).items() if name not in _PLACES
    }
    facts |= {name: metadata.version(name) for name in RECORDED_PACKAGES}
    x64 = bool(jax.config.jax_enable_x64)  # type: ignore[attr-defined]
    facts |= {"git revision": git_revision(), "JAX_ENABLE_X64": x64}
    _refuse_differences(facts)


def check_same_data(config: ConfigDict, data: Data) -> None:
    """Compare the datasets of all processes, which call it together.

    Raises:
      InputError: in all of them, it names what differs.
    """
    if jax.process_count() > 1:
        _refuse_differences(content_of(config, data) | {"classes": tuple(data.class_names)})


def _refuse_differences(facts: Mapping[str, object]) -> None:
    of_all: list[dict[str, str]] = processes.gather({name: repr(x) for name, x in facts.items()})
    first, absent = of_all[0], "(absent)"
    different = {}  # by name: the first process where it is another
    for index, of_one in enumerate(of_all):
        for name in (*first, *(of_one.keys() - first)):
            here, there = first.get(name, absent), of_one.get(name, absent)
            if here != there and name not in different:
                different[name] = f"  {name}: {here} in process 0, {there} in process {index}"
    if different:
        raise InputError(
            "all processes must be started alike; these differ:",
            *(different[name] for name in sorted(different)),
            "Start all of them with the same command, code, packages and data.",
        )
