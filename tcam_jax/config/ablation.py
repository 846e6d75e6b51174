"""What an ablation is: the same experiment with one thing changed, a table of such changes."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from ml_collections import ConfigDict

from tcam_jax.cams.methods import CAM_METHODS
from tcam_jax.data.duration import UNITS, duration_of
from tcam_jax.evaluate.maps import METHOD_OF_MAP, OF_DECODER, methods_of_maps
from tcam_jax.runtime.errors import InputError

OWN_MAP = "own"
"""As a row's method: the map that the run itself predicts by, `config.eval.map`."""

RunKey = tuple[str, int]
"""A run's name and its seed: it lies in seedSEED/NAME."""


class Variant(NamedTuple):
    """One row of a table.

    Attributes:
      run: name of the run; rows with the same name share it, and must have the same overrides.
      title: what the row shows.
      overrides: {dotted config field: value} that make the run.
      published: mean CorLoc on YouTube-Objects v1.0 in the paper, percent; None: not published.
      method: whose boxes the row scores, see `evaluate.results`; or `OWN_MAP`.
    """

    run: str
    title: str
    overrides: Mapping[str, Any]
    published: float | None = None
    method: str = OWN_MAP


class Ablation(NamedTuple):
    """One table.

    Attributes:
      name: of its plot.
      title: what it shows.
      variants: its rows.
      every_seed: run every seed; False: the first one.
      note: what a reader must know.
      baseline: the run with whose own map every row is compared; "": none.
    """

    name: str
    title: str
    variants: Sequence[Variant]
    every_seed: bool = True
    note: str = ""
    baseline: str = ""


def with_methods(table: Ablation, config: ConfigDict) -> Ablation:
    """Return the table with a method's name in the place of every `OWN_MAP`."""

    def named(variant: Variant) -> Variant:
        own = METHOD_OF_MAP[variant.overrides.get("eval.map", config.eval.map)]
        return variant._replace(method=own) if variant.method == OWN_MAP else variant

    return table._replace(variants=tuple(map(named, table.variants)))


def changed(config: ConfigDict, overrides: Mapping[str, Any]) -> ConfigDict:
    """Return a copy of the config with other values; a loss whose weight becomes 0 is off.

    Raises:
      KeyError, TypeError: there is no such field, or its values are of another type.
    """
    one = config.copy_and_resolve_references()
    one.update_from_flattened_dict(dict(overrides))
    for name, loss in one.tcam.losses.items():
        if overrides.get(f"tcam.losses.{name}.weight") == 0 and "final_weight" in loss:
            loss.final_weight = None
    return one


def planned(
    config: ConfigDict, tables: Sequence[Ablation], seeds: Sequence[int]
) -> Iterator[tuple[RunKey, ConfigDict]]:
    """Yield every run of the tables with its config; one that several rows share comes again.

    Raises:
      InputError: rows that share a run have other overrides, those do not fit the config, or a
        run would not score a row's method.
    """
    overrides: dict[str, Variant] = {}
    for table in tables:
        for seed in seeds if table.every_seed else seeds[:1]:
            for variant in table.variants:
                first = overrides.setdefault(variant.run, variant)
                if first.overrides != variant.overrides:
                    raise InputError(
                        f"the rows {first.title!r} and {variant.title!r} share the run "
                        f"{variant.run!r} and must have the same overrides; rename one."
                    )
                try:
                    one = changed(config, {**variant.overrides, "seed": seed})
                except (KeyError, TypeError) as error:
                    raise InputError(
                        f"the overrides of the run {variant.run!r} must be fields of the config, "
                        f"with values of their types: {error.args[0]}"
                    ) from error
                _check_scored(variant, one)
                yield (variant.run, seed), one


def _check_scored(variant: Variant, config: ConfigDict) -> None:
    """Refuse a row whose method the run's evaluation would not look at, by InputError."""
    if variant.method in CAM_METHODS and variant.method not in config.eval.cam_methods:
        raise InputError(
            f"config.eval.cam_methods must have {variant.method} in it for the row "
            f"{variant.title!r}; it is {config.eval.cam_methods}."
        )
    if variant.method in OF_DECODER and duration_of(config.tcam) is None:
        raise InputError(
            f"config.tcam must say how long stage 2 is trained for the row {variant.title!r}; its "
            f"{', '.join(UNITS)} are 0."
        )
    if variant.method in OF_DECODER and variant.method not in methods_of_maps(config):
        raise InputError(
            f"config.eval.other_maps must have the map of {variant.method} in it for the row "
            f"{variant.title!r}; it is {config.eval.other_maps}."
        )
