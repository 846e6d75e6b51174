"""Which kernels a training step spends its time in: python -m launch.benchmark_profile.

Runs one step of configs/youtube_objects.py on a generated batch some times under `jax.profiler`,
and tells the most expensive kernels, by how long they took a step.

    python -m launch.benchmark_profile --batch=32 --precision=bfloat16 --output=profile.json
"""

import json
import tempfile
from pathlib import Path

import jax
import numpy as np
from absl import flags

from configs import youtube_objects
from tcam_jax.benchmark import trace
from tcam_jax.benchmark.about import about
from tcam_jax.benchmark.case import Case
from tcam_jax.benchmark.training import NUM_CLASSES, STAGES, training
from tcam_jax.commands import command_line
from tcam_jax.models.encoders.registry import ENCODERS
from tcam_jax.models.tcam import init_variables
from tcam_jax.report.table import Table, to_markdown
from tcam_jax.runtime.files import write_whole
from tcam_jax.runtime.parallel import Parallel
from tcam_jax.train.stages import make_model

_STAGE = flags.DEFINE_enum("stage", "tcam", STAGES, "whose step")
_ENCODER = flags.DEFINE_enum("encoder", "resnet50", list(ENCODERS), "the network's encoder")
_SIZE = flags.DEFINE_integer("size", 224, "of the network's frames, pixels", lower_bound=32)
_BATCH = flags.DEFINE_integer("batch", 32, "samples a step", lower_bound=1)
_PRECISION = flags.DEFINE_enum("precision", "float32", ["float32", "bfloat16"], "of activations")
_STEPS = flags.DEFINE_integer("steps", 5, "that are profiled", lower_bound=1)
_MOST = flags.DEFINE_integer("most", 10, "kernels to tell", lower_bound=1)
_OUTPUT = command_line.define_path("output", "where to write the figures, JSON")


def main() -> None:
    """Compile, profile, print and write."""
    command_line.check_output(_OUTPUT.value)
    config = youtube_objects.get_config()
    config.model.encoder, config.precision = _ENCODER.value, _PRECISION.value
    config.dataset.crop = _SIZE.value
    config.dataset.resize = round(_SIZE.value * config.dataset.resize / 224)
    parallel = Parallel("shard_map")
    built = training(config, _STAGE.value, parallel.axis_name)
    variables = init_variables(make_model(config, NUM_CLASSES), jax.random.key(0), _SIZE.value)
    state = jax.tree.map(lambda x: parallel.replicate(np.array(x)), built.state(variables))
    frozen = parallel.replicate(built.frozen(variables))
    batch = parallel.shard(Case(config, _BATCH.value).windows(_STAGE.value))
    step = parallel.compile(built.step).lower(state, frozen, batch).compile()
    state, _ = jax.block_until_ready(step(state, frozen, batch))
    with tempfile.TemporaryDirectory() as folder:
        with jax.profiler.trace(folder):
            for _ in range(_STEPS.value):
                state, metrics = step(state, frozen, batch)
            jax.block_until_ready((state, metrics))
        found = trace.kernels(trace.read_trace(Path(folder)), _STEPS.value, step.as_text())
    figures = {
        **about(),
        "device": f"{jax.device_count()} x {jax.devices()[0].device_kind}",
        "jax": jax.__version__,
        **{name: flags.FLAGS[name].value for name in ("stage", "encoder", "size", "batch")},
        "precision": _PRECISION.value,
        "milliseconds": sum(kernel.milliseconds for kernel in found),
        "kernels": sum(kernel.calls for kernel in found),
        "costliest": [kernel._asdict() for kernel in found[: _MOST.value]],
    }
    print(_table(figures))
    if _OUTPUT.value:
        write_whole(Path(_OUTPUT.value), json.dumps(figures, indent=1) + "\n")


def _table(figures: dict) -> str:
    rows = [
        [
            f"{row['milliseconds']:.3f}",
            f"{row['milliseconds'] / figures['milliseconds']:.1%}",
            f"{row['calls']:g}",
            row["operation"],
            row["kernel"] if row["kernel"] != row["operation"] else "",
            row["source"].rpartition("jit(")[2],
        ]
        for row in figures["costliest"]
    ]
    header = ["ms a step", "share", "calls", "operation", "kernel", "from"]
    note = (
        f"{figures['device']}: {figures['milliseconds']:.2f} ms a step in {figures['kernels']:g} "
        "kernels, of all devices."
    )
    return to_markdown(Table("", header, rows, note))


if __name__ == "__main__":
    command_line.run(main)
