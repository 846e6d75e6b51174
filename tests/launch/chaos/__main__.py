"""Commands disturbed at random, again and again: each must end with what the undisturbed one made.

    python -m tests.launch.chaos [--runs=30] [--seed=0] [--folder=FOLDER] [--kinds=train,stdout,…]

Each run is one of these kinds, in turn:

    train     both stages of the shrunk demo, killed one to three times by SIGKILL, SIGTERM, SIGINT
              or SIGHUP, at a time drawn uniformly over its length, or inside a save
    stdout    the same, whose standard output loses its reader: it must go on to its end
    pair      two processes that train as one; one is killed, or stopped for longer than the
              heartbeat: the other must end in time, with one line; then both begin again
    prepare, predict, report    killed like `train`, and compared file by file

After every kill the same command is run again. Prints a line a run, and the counts of each kind;
status 1 if any ended differently.
"""

import argparse
import collections
import sys
import tempfile
from pathlib import Path

from tcam_jax.data.builders.moving_shapes.frames import SPLITS
from tcam_jax.data.builders.registry import prepare
from tests.conftest import TINY as TINY_SPLITS
from tests.launch.chaos import trainings
from tests.launch.chaos.commands import World
from tests.launch.chaos.others import OTHERS

TRAININGS = {"train": trainings.train, "stdout": trainings.stdout, "pair": trainings.pair}
KINDS = (*TRAININGS, *OTHERS)


def _lengths(world: World, kinds: list[str]) -> dict[str, float]:
    """Make what is compared with; return the seconds that each kind takes undisturbed."""
    SPLITS.update(TINY_SPLITS)
    prepare("moving_shapes", "default", world.folder / "data")
    lengths = dict.fromkeys(kinds, trainings.undisturbed(world))  # its network is needed by others
    if "pair" in kinds:
        lengths["pair"] = trainings.undisturbed_pair(world)
    for kind in kinds:
        if kind in OTHERS:
            lengths[kind] = OTHERS[kind].undisturbed(world, kind)
    return lengths


def main() -> int:
    """Run the undisturbed ones, then the others."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=int, default=30)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--folder", type=lambda text: Path(text).expanduser(), default=None)
    parser.add_argument("--kinds", type=lambda text: text.split(","), default=list(KINDS))
    options = parser.parse_args()
    if unknown := set(options.kinds) - set(KINDS):
        parser.error(f"--kinds are of {', '.join(KINDS)}; got {', '.join(sorted(unknown))}")
    world = World(options.folder or Path(tempfile.mkdtemp(prefix="chaos")), options.seed)
    lengths = _lengths(world, options.kinds)
    for kind, length in lengths.items():
        print(f"{kind}, undisturbed: {length:.1f} s", flush=True)
    counts: collections.Counter[tuple[str, str]] = collections.Counter()
    for run in range(options.runs):
        kind = options.kinds[run % len(options.kinds)]
        name, told = f"{kind}{run}", []
        try:
            if kind in OTHERS:
                told = OTHERS[kind].run(world, kind, name, lengths[kind])
            else:
                told = TRAININGS[kind](world, name, lengths[kind])
            verdict = "identical"
        except AssertionError as error:
            verdict = f"DIFFERENT: {error}"
        counts[kind, "runs " + verdict.split(":")[0]] += 1
        counts.update((kind, what.split(" after")[0].split(":")[0]) for what in told)
        print(f"{name}: {'; '.join(told)}; {verdict}", flush=True)
    for kind in options.kinds:
        of_kind = sorted((what, count) for (k, what), count in counts.items() if k == kind)
        print(f"{kind}: " + ", ".join(f"{what}: {count}" for what, count in of_kind))
    return int(any("DIFFERENT" in what for _, what in counts))


if __name__ == "__main__":
    sys.exit(main())
