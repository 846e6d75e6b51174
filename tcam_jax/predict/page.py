"""A page in the browser to try a network: an image or a video in, boxes, map and classes out."""

import tempfile
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from tcam_jax.data.animation import is_video
from tcam_jax.predict.drawing.overlays import draw
from tcam_jax.predict.drawing.video_writer import VideoWriter
from tcam_jax.predict.page_server import folder_of_pages
from tcam_jax.predict.prediction import Prediction
from tcam_jax.predict.predictor import Predictor
from tcam_jax.runtime.errors import InputError
from tcam_jax.runtime.extras import require
from tcam_jax.runtime.markdown import markdown
from tcam_jax.runtime.terminal import one_line

if TYPE_CHECKING:
    import gradio

_COLUMNS = ["x0", "y0", "x1", "y1", "score"]
_SHOWN_CLASSES = 5
_LOOKED_FOR, _OLD = 3600, 86400  # seconds: how often old files are looked for, and how old they are
_LONGEST_STRIDE = 30

_Shown = tuple[Image.Image, dict[str, float], list[list[float]]]


def build(model: Predictor) -> "gradio.Blocks":
    """Return the page; `page_server.serve` serves it.

    What is uploaded and drawn lies in a folder of this process, and is deleted with it.

    Args:
      model: what predicts.

    Raises:
      InputError: Gradio is not installed.
    """
    require("app", "gradio")
    folder = folder_of_pages()  # before Gradio reads where it is
    import gradio

    def of_image(path: str | None) -> tuple[Any, ...]:
        if path is None:
            return None, None, None, None, gradio.skip()
        with _told(path):
            if is_video(Path(path)):
                raise InputError(f"{path} is a video or moves: drop it on the tab Video.")
            found = model.predict(path)[0]
        return found, *shown(found), round(found.threshold, 3)

    def at(found: Prediction | None, threshold: float) -> tuple[Any, ...]:
        if found is None:
            return None, None, None
        return shown(model.at_threshold(found, min(threshold, 0.999)))

    def of_video(
        path: str | None,
        stride: int,
        progress: Any = gradio.Progress(),  # noqa: B008
    ) -> tuple[str | None, dict[str, float] | None]:
        if path is None:
            return None, None
        probabilities = []
        with ExitStack() as opened:
            opened.enter_context(_told(path))
            target = Path(tempfile.mkdtemp(dir=folder)) / "boxes.mp4"
            video = opened.enter_context(VideoWriter(target))
            for found in model.stream(path, stride=stride):
                video.write(draw(found, enlarge=False), found.time or 0.0)
                probabilities.append(found.probabilities)
                progress((found.frame, None), unit="frames")
        mean = np.mean(probabilities, axis=0).tolist()
        return str(target), dict(zip(model.class_names, mean, strict=True))

    one_at_a_time: dict[str, Any] = {"concurrency_id": "network", "concurrency_limit": 1}
    with gradio.Blocks(
        title="tcam_jax", analytics_enabled=False, delete_cache=(_LOOKED_FOR, _OLD)
    ) as page:
        names = ", ".join(map(markdown, model.class_names))
        gradio.Markdown(f"# Where is it?\nClasses: {names}")
        with gradio.Tab("Image"):
            last = gradio.State()
            with gradio.Row():
                # Gradio's image would decode and change what the network is to see.
                image = gradio.File(label="Image")
                picture = gradio.Image(label="Box and map", type="pil", interactive=False)
            slider = gradio.Slider(
                0, 1, step=0.001, label="Threshold", info="The network's own, until it is moved."
            )
            with gradio.Row():
                classes = gradio.Label(label="Class", num_top_classes=_SHOWN_CLASSES)
                boxes = gradio.Dataframe(label="Boxes, pixels", headers=_COLUMNS, interactive=False)
            seen = [picture, classes, boxes]
            image.change(of_image, image, [last, *seen, slider], **one_at_a_time)
            slider.input(at, [last, slider], seen, show_progress="hidden")
        with gradio.Tab("Video"):
            with gradio.Row():
                video = gradio.File(label="Video")
                drawn = gradio.Video(label="Boxes and maps", interactive=False)
            stride = gradio.Slider(
                *(1, _LONGEST_STRIDE), step=1, label="Stride", info="3: every third frame; faster."
            )
            mean = gradio.Label(label="Class, mean of the frames", num_top_classes=_SHOWN_CLASSES)
            asked = [video.change, stride.release]
            gradio.on(asked, of_video, [video, stride], [drawn, mean], **one_at_a_time)
    return page


@contextmanager
def _told(path: str) -> Iterator[None]:
    """Show in the page what is wrong with a file, and what is warned of; by its name alone."""
    import gradio

    def named(words: object) -> str:
        told = str(words).removeprefix("frames: ").replace(path, Path(path).name)
        return escape(one_line(told), quote=False)  # Gradio takes it for HTML

    # Not safe in threads, so one file at a time: `one_at_a_time`.
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always", UserWarning)
        try:
            yield
        except InputError as error:
            raise gradio.Error(named(error), print_exception=False) from error
        except OSError as error:
            words = f"the result cannot be written: {error.strerror}"
            raise gradio.Error(named(words), print_exception=False) from error
    for one in told:
        if one.category is UserWarning:
            gradio.Warning(named(one.message), duration=None)


def shown(found: Prediction) -> _Shown:
    """Return what the page shows of a frame: its picture, the probabilities, a row a box."""
    rows = [
        [*(round(edge, 1) for edge in box), round(score, 3)]
        for box, score in zip(found.boxes, found.scores, strict=True)
    ]
    return found.plot(), found.to_dict()["probabilities"], rows
