"""Many files into one folder of results: what is finished stays so, what fails is named."""

import errno
from collections.abc import Callable, Iterable, Iterator, Mapping, MutableMapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from itertools import groupby
from pathlib import Path
from types import TracebackType
from typing import Protocol, runtime_checkable

from PIL import Image

from tcam_jax.predict.drawing.overlays import draw
from tcam_jax.predict.drawing.video_writer import VideoWriter
from tcam_jax.predict.formats.masks import FOLDER, MaskWriter
from tcam_jax.predict.formats.names import beside
from tcam_jax.predict.prediction import Prediction
from tcam_jax.predict.result_folder import ResultFolder
from tcam_jax.runtime.counted import counted
from tcam_jax.runtime.errors import InputError
from tcam_jax.runtime.files import cannot_write
from tcam_jax.runtime.stopwatch import Stopwatch

Write = Callable[[Prediction], None]

# What one file alone may meet: a name or a size that this disk does not take.
_OF_ONE_FILE = (errno.ENAMETOOLONG, errno.EILSEQ, errno.EINVAL, errno.EFBIG)


@runtime_checkable
class Drawn(Protocol):
    """What is made of each file beside its records."""

    def of(self, file: Path) -> AbstractContextManager[Write]:
        """What takes the file's predictions; whole when it is left without an error."""
        ...

    def path(self, file: Path) -> Path:
        """The file or folder that is there then, relative to the folder of results."""
        ...


class Overlays:
    """A picture for each image, an MP4 with the source's times for each video.

    Args:
      folder: of the results; `overlays` is made in it.
      names: of each file's, relative to that, see `given_files.Given.overlays`.
      made: of other files, and to be left alone, relative to `folder`.
    """

    def __init__(self, folder: Path, names: Mapping[Path, Path], made: Iterable[str] = ()):
        others = _below("overlays", made)
        self._folder = folder
        self._names = beside({file: name.as_posix() for file, name in names.items()}, others)

    def path(self, file: Path) -> Path:
        """See `Drawn`."""
        return Path("overlays", self._names[file])

    @contextmanager
    def of(self, file: Path) -> Iterator[Write]:
        """See `Drawn`."""
        path = self._folder / self.path(file)
        with VideoWriter(path) as video:

            def write(prediction: Prediction) -> None:
                is_image = prediction.time is None
                picture = draw(prediction, enlarge=is_image)
                path.parent.mkdir(parents=True, exist_ok=True)
                if is_image:
                    Image.fromarray(picture).save(path, quality=90)
                else:
                    video.write(picture, prediction.time or 0.0)

            yield write


class Masks:
    """The foreground of each frame as a PNG, see `formats.masks`.

    Args:
      folder, regions: as of `MaskWriter`.
      names: of each file's, see `given_files.Given.masks`.
      made: as of `Overlays`.
    """

    def __init__(
        self, folder: Path, regions: str, names: Mapping[Path, str], made: Iterable[str] = ()
    ):
        others = _below(FOLDER, made)
        self._writer, self._folder = MaskWriter(folder, regions), folder
        self._names = beside(names, others | {name.removesuffix(".png") for name in others})

    def path(self, file: Path) -> Path:
        """See `Drawn`."""
        image = Path(FOLDER, f"{self._names[file]}.png")
        return image if (self._folder / image).is_file() else Path(FOLDER, self._names[file])

    @contextmanager
    def of(self, file: Path) -> Iterator[Write]:
        """See `Drawn`."""
        yield lambda prediction: self._writer.write(prediction, self._names[file])


def _below(folder: str, made: Iterable[str]) -> set[str]:
    return {name.removeprefix(f"{folder}/") for name in made if name.startswith(f"{folder}/")}


class _Drawing:
    """What is made of one file; given up, and nothing left of it, for a fault of that file alone.

    A context manager.

    Args:
      one, file: of what, of which.

    Raises:
      InputError, OSError: from all methods: any other fault.
    """

    def __init__(self, one: Drawn, file: Path):
        self._one, self._file, self._opened = one, file, ExitStack()
        self.fault = ""

    def __enter__(self) -> "_Drawing":
        with self._giving_up():
            self._write = self._opened.enter_context(self._one.of(self._file))
        return self

    def write(self, prediction: Prediction) -> None:
        """Add a frame."""
        if not self.fault:
            with self._giving_up():
                self._write(prediction)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with self._giving_up():
            self._opened.__exit__(kind, error, trace)

    @contextmanager
    def _giving_up(self) -> Iterator[None]:
        try:
            yield
        except (InputError, OSError) as error:
            cause = error if isinstance(error, OSError) else error.__cause__
            if not isinstance(cause, OSError) or cause.errno not in _OF_ONE_FILE:
                raise
            self._opened.__exit__(type(error), error, error.__traceback__)
            self.fault = f"{self._one.path(self._file)} cannot be written ({cause.strerror})"


def write_results(
    predictions: Iterator[Prediction],
    faults: MutableMapping[Path, str],
    results: ResultFolder,
    drawn: Sequence[Drawn],
    stopwatch: Stopwatch,
    told: Callable[[], object],
) -> int:
    """Write what `predictions` say, a file at a time; return how many there were.

    Args:
      predictions: of files, the frames of each together.
      faults: of files that cannot be read, or not to their end, by the time of their last frame;
        gets those of what cannot be drawn of a file.
      results: takes their records.
      drawn: what else is made of them.
      stopwatch: takes the seconds of "draw".
      told: is called after each frame.

    Raises:
      InputError: a result cannot be written.
    """
    count = 0
    for file, of_file in groupby(predictions, lambda prediction: prediction.file):
        assert file is not None
        first = count
        with ExitStack() as opened:
            drawings = [opened.enter_context(_Drawing(one, file)) for one in drawn]
            for prediction in of_file:
                results.write(prediction.to_dict())
                with stopwatch.of("draw"):
                    try:
                        for drawing in drawings:
                            drawing.write(prediction)
                    except OSError as error:
                        raise cannot_write(results.folder, error) from error
                told()
                count += 1
        size = file.stat().st_size if file.exists() else 0  # a camera has none
        lost = [drawing.fault for drawing in drawings if drawing.fault]
        if lost:
            faults[file] = "; ".join([*([faults[file]] if file in faults else []), *lost])
        made = [one.path(file) for one, d in zip(drawn, drawings, strict=True) if not d.fault]
        results.finish(str(file), size, count - first, faults.get(file), made)
    return count


def in_brief(frames: int, files: int, faults: int, before: int) -> str:
    """Say what was done: frames of files, of them with faults; files that were finished before."""
    if not files + before:
        return "nothing to do: this shard has no file"
    done = f"{counted(before, 'file')} {'was' if before == 1 else 'were'} finished before"
    if not files:
        return f"nothing left to do: {done}"
    now = f"{counted(frames, 'frame')} of {counted(files, 'file')}, {faults} with faults"
    return f"{now}; {done}" if before else now
