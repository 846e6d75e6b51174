"""The files that a command is to predict, of all shards, and what their results are called."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from tcam_jax.data.animation import is_video
from tcam_jax.data.folder_walk import LeftOut
from tcam_jax.predict.camera import camera_number
from tcam_jax.predict.drawing.overlay_names import overlay_names
from tcam_jax.predict.formats.names import common_folder, output_names
from tcam_jax.predict.inputs import find_named
from tcam_jax.runtime.errors import InputError


class Given(NamedTuple):
    """What there is to predict.

    Attributes:
      files: in natural order; of a camera its name alone.
      root: the folder that the names of results are relative to.
      left_out: what is no image or video there.
      camera: "camera:0", say; None: these are files.
    """

    files: list[Path]
    root: Path
    left_out: list[LeftOut]
    camera: str | None = None

    @property
    def videos(self) -> set[Path]:
        """Those of `files` that are videos, with the camera."""
        return set(self.files) if self.camera else {file for file in self.files if is_video(file)}

    def overlays(self) -> dict[Path, Path]:
        """Return what the overlay of each file is called."""
        # Names depend on all files together: those of a shard alone would not fit the others'.
        names = self._names()
        shown = overlay_names(names.values(), {names[file] for file in self.videos})
        return {file: shown[name] for file, name in names.items()}

    def masks(self) -> dict[Path, str]:
        """Return what the masks of each file are called, see `formats.names.output_names`."""
        names = {file: name.as_posix() for file, name in self._names().items()}
        plain = output_names(names.values(), {names[file] for file in self.videos})
        return {file: plain[name] for file, name in names.items()}

    def _names(self) -> dict[Path, Path]:
        return {file: Path(os.path.relpath(file, self.root)) for file in self.files}


def find_given(names: Sequence[str], output: Path) -> Given:
    """Find what `names` lead to: images, videos, folders of them, globs, or one camera.

    Args:
      names: one or more.
      output: the folder of the results, which must not be among them.

    Raises:
      InputError: a name leads to nothing, a camera is not alone, or `output` is what is read.
    """
    camera = next((name for name in names if camera_number(name) is not None), None)
    if camera is not None and not os.path.exists(camera):
        if len(names) > 1:
            raise InputError(f"--input={camera} must be the only one: a camera does not end.")
        return Given([Path(camera)], Path(), [], camera)
    files, left_out = dict[Path, None](), list[LeftOut]()
    for name in names:
        try:
            found = find_named(name)
        except InputError as error:
            raise InputError(f"--input: {error}") from error
        files |= dict.fromkeys(found.files)
        left_out += found.left_out
    root = Path(names[0])
    if len(names) > 1 or not root.is_dir():
        root = Path(common_folder(map(str, files)))
    inside = next((file for file in files if output.resolve() in file.resolve().parents), None)
    if inside or output.resolve() == root.resolve():
        what = f" {inside} would be read." if inside else ""
        raise InputError(f"--output={output} must be another folder than that of the input.{what}")
    return Given(list(files), root, left_out)


def share_of(files: Sequence[Path], shard: str) -> tuple[list[Path], str]:
    """Return the files of one shard, every n-th, and the name of the folder of its results.

    Args:
      files: of all shards.
      shard: "i/n", i from 0.

    Raises:
      InputError: `shard` is none.
    """
    number, _, count = shard.partition("/")
    if not (number.isdecimal() and count.isdecimal() and int(number) < int(count)):
        raise InputError(f"--shard must be i/n, i from 0 to n - 1, such as 0/16; got {shard!r}.")
    return list(files[int(number) :: int(count)]), f"shard_{number:0>4}_of_{count:0>4}"
