"""A page in the browser to try a network: an image or a video in, boxes, map and classes out."""

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PIL import Image

from tcam_jax.predict.drawing.overlays import draw
from tcam_jax.predict.drawing.video_writer import VideoWriter
from tcam_jax.predict.prediction import Prediction
from tcam_jax.predict.predictor import Predictor
from tcam_jax.runtime.errors import InputError
from tcam_jax.runtime.extras import require

if TYPE_CHECKING:
    import gradio

_COLUMNS = ["x0", "y0", "x1", "y1", "score"]
_SHOWN_CLASSES = 5

_Shown = tuple[Image.Image, dict[str, float], list[list[float]]]


def build(model: Predictor) -> "gradio.Blocks":
    """Return the page; `.launch()` serves it.

    Args:
      model: what predicts.

    Raises:
      InputError: Gradio is not installed.
    """
    require("app", "gradio")
    import gradio

    def of_image(path: str | None) -> tuple[Any, ...]:
        if path is None:
            return None, None, None, None, gradio.skip()
        try:
            found = model.predict(path)[0]
        except InputError as error:
            raise gradio.Error(str(error)) from error
        return found, *shown(found), round(found.threshold, 3)

    def at(found: Prediction | None, threshold: float) -> tuple[Any, ...]:
        if found is None:
            return None, None, None
        return shown(model.at_threshold(found, min(threshold, 0.999)))

    def of_video(path: str | None, progress: Any = gradio.Progress()) -> str | None:  # noqa: B008
        if path is None:
            return None
        target = Path(tempfile.mkdtemp(dir=folder.name)) / "boxes.mp4"
        try:
            with VideoWriter(target) as video:
                for found in model.stream(path):
                    video.write(draw(found, enlarge=False), found.time or 0.0)
                    progress((found.frame, None), unit="frames")
        except InputError as error:
            raise gradio.Error(str(error)) from error
        return str(target)

    folder = tempfile.TemporaryDirectory(prefix="tcam_app")  # gone when the page is
    with gradio.Blocks(title="tcam_jax", analytics_enabled=False) as page:
        page.tcam_folder = folder
        gradio.Markdown(f"# Where is it?\nClasses: {', '.join(model.class_names)}")
        with gradio.Tab("Image"):
            last = gradio.State()
            with gradio.Row():
                image = gradio.Image(
                    label="Image", type="filepath", sources=["upload", "clipboard"]
                )
                picture = gradio.Image(label="Box and map", type="pil", interactive=False)
            slider = gradio.Slider(
                0, 1, step=0.001, label="Threshold", info="The network's own, until it is moved."
            )
            with gradio.Row():
                classes = gradio.Label(label="Class", num_top_classes=_SHOWN_CLASSES)
                boxes = gradio.Dataframe(label="Boxes, pixels", headers=_COLUMNS, interactive=False)
            seen = [picture, classes, boxes]
            image.change(of_image, image, [last, *seen, slider])
            slider.input(at, [last, slider], seen, show_progress="hidden")
        with gradio.Tab("Video"), gradio.Row():
            video = gradio.Video(label="Video", sources=["upload"])
            drawn = gradio.Video(label="Boxes and maps", interactive=False)
            video.change(of_video, video, drawn)
    return page


def serve(page: "gradio.Blocks", host: str, port: int, wait: bool = True) -> str:
    """Serve the page until it is stopped; return its address where that is not waited for.

    Raises:
      InputError: the address cannot be served.
    """
    import gradio

    # The reader's own fonts, no links, no statistics: nothing is fetched from elsewhere.
    theme = gradio.themes.Default(font=["system-ui", "sans-serif"], font_mono=["monospace"])
    try:
        _, address, _ = page.launch(
            server_name=host,
            server_port=port,
            prevent_thread_lock=not wait,
            theme=theme,
            footer_links=[],
            share=False,
        )
    except OSError as error:
        raise InputError(f"--host={host} --port={port} cannot be served: {error}.") from error
    return str(address)


def shown(found: Prediction) -> _Shown:
    """Return what the page shows of a frame: its picture, the probabilities, a row a box."""
    probabilities = dict(zip(found.class_names, found.probabilities.tolist(), strict=True))
    rows = [
        [*(round(edge, 1) for edge in box), round(score, 3)]
        for box, score in zip(found.boxes, found.scores, strict=True)
    ]
    return found.plot(), probabilities, rows
