"""`boxes.xml`: boxes of a user's frames as CVAT exports them, for images 1.1 or for video 1.1."""

import re
from pathlib import Path
from typing import NamedTuple, NoReturn
from xml.parsers import expat

from tcam_jax.data.builders.findings import Finding, Findings
from tcam_jax.data.builders.sources import SourceBox
from tcam_jax.data.builders.video_folder.named_boxes import (
    NOT_AS_EXPECTED,
    BoxFile,
    NamedBox,
    from_corners,
    stated_size,
)
from tcam_jax.runtime.errors import InputError

_CORNERS = ("xtl", "ytl", "xbr", "ybr")

_Attributes = dict[str, str]


def _frame_of(video: str, number: int) -> str:
    """The end of the id of a video file's frame, see `video_files.Extracted.file`."""
    return f"{video}/{number:06d}.jpg"


def read_cvat(path: Path, findings: Findings) -> BoxFile:
    """Reads the boxes of `<image>` and `<track>`, whose frames are those of the task's `<source>`.

    Boxes "outside" their frame are none; other shapes and rotated boxes are left out and noted.

    Raises:
        InputError: the file is no XML, has a DOCTYPE, is not CVAT's, or has tracks of no video.
    """
    reader = _Reader(path, findings)
    try:
        with path.open("rb") as file:
            reader.parser.ParseFile(file)
    except InputError:
        raise
    except (OSError, expat.ExpatError, ValueError, LookupError) as error:  # odd encodings, too
        raise InputError(f"{path} cannot be read as XML ({error}); export it again") from error
    return BoxFile(path, reader.boxes, "named", False)


class _Holder(NamedTuple):
    """What holds shapes: an image, which is a frame, or a track, whose shapes name theirs."""

    frame: str | None
    source: str
    label: str | None
    size: tuple[int, int] | None


class _Reader:
    """Walks through the file once, and knows the elements that are open."""

    def __init__(self, path: Path, findings: Findings):
        self._path, self._findings = path, findings
        self.boxes: list[NamedBox] = []
        self._open: list[str] = []
        self._text = ""
        self._task: _Attributes = {}  # id, source, width, height of the one described last
        self._tasks: dict[str, _Attributes] = {}
        self._holder: _Holder | None = None
        self.parser = expat.ParserCreate()
        self.parser.buffer_text = True
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self.parser.CharacterDataHandler = self._characters
        # Entities can only be declared here; CVAT declares none, and some would fill the memory.
        self.parser.StartDoctypeDeclHandler = self._doctype

    @property
    def _where(self) -> str:
        return f"{self._path} line {self.parser.CurrentLineNumber}"

    def _doctype(self, *_: object) -> NoReturn:
        raise InputError(f"{self._where}: expected no DOCTYPE, CVAT writes none; export it again")

    def _characters(self, text: str) -> None:
        self._text += text

    def _start(self, tag: str, attributes: _Attributes) -> None:
        self._text = ""
        match self._open:
            case [] if tag != "annotations":
                raise InputError(
                    f"{self._where}: expected CVAT's <annotations>, got <{tag}>; export 'CVAT for "
                    "images 1.1' or 'CVAT for video 1.1'"
                )
            case [_] if tag in ("image", "track"):
                self._holder = self._held_by(tag, attributes)
            case [_, "image" | "track"] if tag != "tag" and self._holder:
                self._shape(tag, attributes, self._holder)
            case [_, "meta", *_] if tag == "task":
                self._task = {}
        self._open.append(tag)

    def _end(self, tag: str) -> None:
        self._open.pop()
        match self._open:
            case [_, "meta", *_, "task"] if tag in ("id", "source"):
                self._task[tag] = self._text.strip()
            case [_, "meta"] if tag == "source":  # in earlier versions
                self._task[tag] = self._text.strip()
            case [_, "meta", *_, "original_size"] if tag in ("width", "height"):
                self._task[tag] = self._text.strip()
            case [_, "meta", *_] if tag == "task":
                self._tasks[self._task.get("id", "")] = self._task

    def _held_by(self, tag: str, attributes: _Attributes) -> _Holder:
        task = self._task  # of a project's tasks each image and track names its own
        if "task_id" in attributes:
            task = self._tasks.get(attributes["task_id"], {})
        source = task.get("source", "")
        if tag == "image":
            name = attributes.get("name", "").strip()
            number = re.fullmatch(r"frame_([0-9]+)(\.\w+)?", name)
            if source and number:  # CVAT's name of a video's frame
                name = _frame_of(source, int(number[1]))
            return _Holder(name, source, None, stated_size(attributes))
        if not source:
            raise InputError(
                f"{self._where}: a track of no video: its task has no <source>; export a task "
                "rather than a job, and a task of images as 'CVAT for images 1.1'"
            )
        return _Holder(None, source, attributes.get("label"), stated_size(task))

    def _shape(self, tag: str, attributes: _Attributes, holder: _Holder) -> None:
        if attributes.get("outside", "0").lower() in ("1", "true"):
            return
        where = self._where
        label = attributes.get("label", holder.label)
        shape, frame, corners = f"a {tag}", holder.frame, None
        try:
            if tag == "box":
                shape = f"rotated by {attributes.get('rotation')} degrees"
                if frame is None:
                    frame = _frame_of(holder.source, int(attributes["frame"]))
                if not float(attributes.get("rotation", 0)):
                    corners = from_corners([attributes[name] for name in _CORNERS])
        except NOT_AS_EXPECTED:
            wanted = f"expected numbers {', '.join(_CORNERS)} and a frame, got {attributes}"
            self._findings.add(Finding("box_malformed", where, wanted))
            return
        if corners is None or frame is None:
            self._findings.add(Finding("box_other_shape", where, f"it is {shape}"))
            return
        box = SourceBox(where, corners, holder.size)
        self.boxes.append(NamedBox(frame, box, () if label is None else (label,)))
