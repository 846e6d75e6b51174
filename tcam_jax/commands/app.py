"""A page to try a network: tcam app --workdir=DIR.

Drop an image or a video on it; it shows box, map and classes, and a slider moves the threshold.
--model=FOLDER, of tcam export_model, takes the place of --workdir. Only this machine can open it,
unless --host says otherwise.
"""

from absl import flags

from tcam_jax.commands import command_line
from tcam_jax.evaluate.boxes import REGIONS
from tcam_jax.predict.page import build
from tcam_jax.predict.page_server import serve
from tcam_jax.runs.load import load
from tcam_jax.runtime.extras import require

_NETWORK = command_line.define_network()
_REGIONS = flags.DEFINE_enum(
    "regions", "largest", REGIONS, "one box a frame, or one for each region above the threshold"
)
_HOST = flags.DEFINE_string("host", "127.0.0.1", "address to serve; 0.0.0.0: to the whole network")
_PORT = flags.DEFINE_integer("port", 7860, "port to serve", lower_bound=1, upper_bound=65535)


def main() -> None:
    """Serve the page until it is stopped."""
    network = _NETWORK()
    require("app", "gradio")
    model = load(network, regions=_REGIONS.value)
    serve(build(model), _HOST.value, _PORT.value)


def run() -> None:
    """Run the command with the flags of the command line."""
    command_line.run(main)
