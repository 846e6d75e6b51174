"""The tables of `tcam ablate` by their names."""

from collections.abc import Callable, Sequence

from ml_collections import ConfigDict

from tcam_jax.config import paper_ablations
from tcam_jax.config.ablation import Ablation
from tcam_jax.config.recipe_ablation import recipes
from tcam_jax.config.search_ablation import search
from tcam_jax.losses.objective import window_losses
from tcam_jax.runtime.errors import InputError

TABLES: dict[str, Callable[[ConfigDict, bool], Ablation]] = {
    "losses": lambda config, full: paper_ablations.LOSSES,
    "temporal": lambda config, full: paper_ablations.temporal(full),
    "seeds": lambda config, full: paper_ablations.seeds(full),
    "bounds": lambda config, full: paper_ablations.bounds(full),
    "extra_losses": lambda config, full: paper_ablations.extra_losses(),
    "recipes": lambda config, full: recipes(config),
    "search": lambda config, full: search(config),
}
"""name -> the table over a config, in full or not; a user's own joins them."""

_OF_TCAM = ("losses", "temporal", "seeds", "bounds", "extra_losses")
"""The paper's, of TCAM: their rows say themselves which neighbours there are, down to none."""

_WITH_TRAINING_BOXES = ("moving_shapes", "moving_photos")


def tables_of(config: ConfigDict, full: bool, names: Sequence[str] = ()) -> tuple[Ablation, ...]:
    """Return tables of runs that change a config.

    Args:
      config: what is changed.
      full: every table in full, over every seed.
      names: those of `TABLES` that are wanted; none: the paper's, and with `full` further losses.

    Raises:
      InputError: there is no such table, or the dataset cannot have it.
    """
    dataset = config.dataset.name
    if not names:
        names = ["losses", "temporal", "seeds"]
        names += ["bounds"] * (dataset == "moving_shapes")  # others have no boxes in training
        names += ["extra_losses"] * full
    if unknown := [name for name in names if name not in TABLES]:
        raise InputError(f"tables must be of {', '.join(TABLES)}; got {', '.join(unknown)}.")
    of_windows = window_losses(config.tcam.losses)
    if of_windows and (of_tcam := [name for name in names if name in _OF_TCAM]):
        raise InputError(
            f"the tables {', '.join(of_tcam)} are of TCAM, without losses of neighbouring frames; "
            f"the config has {', '.join(of_windows)}. Begin with its dataset's config, or with "
            "--tables=recipes or search."
        )
    if "bounds" in names and dataset not in _WITH_TRAINING_BOXES:
        raise InputError(
            f"the table bounds needs boxes in training, which {' and '.join(_WITH_TRAINING_BOXES)} "
            f"alone have; the dataset is {dataset}. Leave it out of the tables."
        )
    if "bounds" in names and config.dataset.config not in ("default", "train_boxes"):
        raise InputError(
            f"the table bounds is of {dataset} as it is by default, whose training frames alone "
            f"have boxes; config.dataset.config is {config.dataset.config}. Leave it out."
        )
    tables = (TABLES[name](config, full) for name in dict.fromkeys(names))
    return tuple(_with_source_told(table, config) for table in tables)


def _with_source_told(table: Ablation, config: ConfigDict) -> Ablation:
    """Say in the note of one of the paper's tables that its seeds are of a user's maps."""
    if config.tcam.seed_source != "files" or table.name not in _OF_TCAM or table.name == "seeds":
        return table
    told = f"Seeds are of the maps in {config.tcam.seed_dir}; the published numbers are of CAMs."
    return table._replace(note=f"{table.note} {told}".strip())
