"""Predict: python -m launch.predict --workdir=DIR --input=IMAGE|FOLDER --output=DIR.

Writes predictions.jsonl (one line a frame: file, class, probability, box x0 y0 x1 y1 in pixels of
the file, score) and an overlay for every frame into the output folder. A folder is searched for
images below it at any depth.
"""

import json
from pathlib import Path

import numpy as np
from absl import flags
from PIL import Image, UnidentifiedImageError

import tcam_jax
from launch import command
from tcam_jax.errors import InputError
from tcam_jax.evaluate.overlays import draw_overlay

_WORKDIR = flags.DEFINE_string("workdir", None, "folder of a trained run")
_INPUT = flags.DEFINE_string("input", None, "an image, or a folder of images")
_OUTPUT = flags.DEFINE_string("output", None, "folder for the results")

SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".webp")


def main() -> None:
    """Predict every image, write the lines and the overlays."""
    output = Path(_OUTPUT.value)
    paths = _images(Path(_INPUT.value), besides=output)
    predictor = tcam_jax.load(_WORKDIR.value)
    try:
        output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(
            f"--output={output} must be a folder that can be written: {error.strerror}."
        ) from error
    predictions = predictor.stream(map(_read, paths))
    with (output / "predictions.jsonl").open("w") as lines:
        for index, (path, prediction) in enumerate(zip(paths, predictions, strict=True)):
            record = prediction._asdict()
            shown = record.pop("map")
            lines.write(json.dumps({"file": str(path), **record}) + "\n")
            frame = _read(path)
            full = Image.fromarray(shown).resize(frame.shape[1::-1], Image.Resampling.BILINEAR)
            title = f"{prediction.class_name} {prediction.probability:.2f}"
            image = draw_overlay(
                frame, np.asarray(full) / 255.0, np.zeros((0, 4)), np.array(prediction.box), title
            )
            Image.fromarray(image).save(output / f"{index:06d}_{path.stem}.jpg", quality=90)
    print(f"{len(paths)} frames: {output / 'predictions.jsonl'}")


def _images(source: Path, besides: Path) -> list[Path]:
    if source.is_file():
        return [source]
    if besides.resolve() == source.resolve():
        raise InputError(
            f"--output={besides} must be another folder than --input: it gets overlays."
        )
    # Overlays of an earlier call may lie below the source.
    found = sorted(
        path
        for path in source.rglob("*")
        if path.suffix.lower() in SUFFIXES and besides.resolve() not in path.resolve().parents
    )
    if not found:
        raise InputError(
            f"--input={source} must be an image or a folder that holds images "
            f"({', '.join(SUFFIXES)}); none was found."
        )
    return found


def _read(path: Path) -> np.ndarray:
    try:
        return np.asarray(Image.open(path).convert("RGB"))
    except (UnidentifiedImageError, OSError, Image.DecompressionBombError) as error:
        raise InputError(
            f"{path} cannot be read as an image ({error}); remove it or convert it to JPEG."
        ) from error


if __name__ == "__main__":
    command.run(main, required=["workdir", "input", "output"])
