"""The one file of boxes that a user's folder may have, in one of three formats."""

from collections.abc import Callable, Sized
from pathlib import Path

from tcam_jax.data.builders.findings import Finding, Findings
from tcam_jax.data.builders.sources import SourceBox
from tcam_jax.data.builders.video_folder.box_conventions import without_shares
from tcam_jax.data.builders.video_folder.boxes_coco import read_coco
from tcam_jax.data.builders.video_folder.boxes_csv import read_csv
from tcam_jax.data.builders.video_folder.boxes_cvat import read_cvat
from tcam_jax.data.builders.video_folder.frame_names import FrameNames, nfc
from tcam_jax.data.builders.video_folder.named_boxes import BoxFile, NamedBox
from tcam_jax.runtime.errors import InputError
from tcam_jax.runtime.plain_files import check_plain

_READERS: dict[str, Callable[[Path, Findings], BoxFile]] = {
    "boxes.csv": read_csv,
    "boxes.json": read_coco,
    "boxes.xml": read_cvat,
}

BOX_FILES = tuple(_READERS)

_MOST_BYTES = 1 << 30  # a box has about 50


def find_box_file(root: Path) -> Path | None:
    """The file of boxes in `root`, None where there is none.

    Raises:
        InputError: there are two, or one is a link that leads nowhere, no plain file or larger
            than 1 GB.
    """
    files = [root / name for name in BOX_FILES]
    files = [file for file in files if file.is_symlink() or file.exists()]
    files = [file for file in files if not file.is_dir()]
    if len(files) > 1:
        names = " and ".join(file.name for file in files)
        raise InputError(f"{root}: expected one file of boxes, got {names}; remove all but one")
    for file in files:
        if not file.exists():
            raise InputError(f"{file} is a link that leads nowhere; mend or remove it")
        try:
            check_plain(file, _MOST_BYTES)
        except OSError as error:
            raise InputError(
                f"{file} cannot be read ({error.strerror}); write the boxes into a file of text"
            ) from error
        return file
    return None


def not_read(name: str) -> str:
    """For a file beside the classes that is not read: what to do if it has boxes in it."""
    if not name.lower().endswith((".csv", ".json", ".xml")):
        return ""
    return f"if these are boxes, call the file {', '.join(BOX_FILES[:-1])} or {BOX_FILES[-1]}"


def read_boxes(path: Path, findings: Findings) -> BoxFile:
    """Reads all boxes of `path`, one of `BOX_FILES`; what is no box is left out and noted.

    Raises:
        InputError: the file is not in its format, its boxes are not in pixels, or none of what is
            in it is a box.
    """
    noted = len(findings.all)
    file = without_shares(_READERS[path.name](path, findings), findings)
    _some(path, file.boxes, findings.all[noted:])
    return file


def boxes_of_frames(
    file: BoxFile, names: FrameNames, findings: Findings
) -> dict[str, list[SourceBox]]:
    """The boxes of every frame that is there; others are noted.

    So are boxes labelled as another class than the folder that their frame is in: they are not
    of what the frame is tagged with. Labels that are no classes mean nothing.

    Raises:
        InputError: there are boxes, but none of a frame that is there.
    """
    noted = len(findings.all)
    known: dict[str, list[SourceBox]] = {}
    found: dict[str, tuple[str | None, str]] = {}
    by_ending: list[NamedBox] = []
    classes = {_label(name) for name in names.classes}
    for named in file.boxes:
        if named.frame not in found:
            found[named.frame] = _frame(named.frame, names, file.whole_names)
        frame, hint = found[named.frame]
        if frame is None:
            detail = f"{named.frame}; {hint}"
            findings.add(Finding("box_without_frame", named.box.where, detail))
            continue
        own = _label(frame.partition("/")[0])
        labels = {_label(label) for label in named.labels}
        if own not in labels and labels & classes:
            detail = f"{', '.join(named.labels)} in {frame}"
            findings.add(Finding("box_other_label", named.box.where, detail))
            continue
        if hint:
            by_ending.append(named)
        known.setdefault(frame, []).append(named.box)
    if by_ending:
        first = by_ending[0].frame
        detail = f"{len(by_ending)} boxes, such as {first} for {found[first][0]}"
        findings.add(Finding("box_by_ending", str(file.path), detail))
    _some(file.path, known, findings.all[noted:])
    return known


def _frame(name: str, names: FrameNames, whole_names: bool) -> tuple[str | None, str]:
    """The frame that is meant, and what to say of it: "" where it is named in full."""
    frame = names.find(name)
    if frame is not None:
        return frame, ""
    ending = [] if whole_names else names.ending(name)
    match ending:
        case []:
            return None, names.hint(name)
        case [only]:
            return only, "by its end"
        case _:
            return None, f"{' and '.join(ending)} end so; write the path from the folder's top"


def _label(name: str) -> str:
    return nfc(name).strip().casefold()


def _some(path: Path, boxes: Sized, faults: list[Finding]) -> None:
    if not len(boxes) and faults:
        raise InputError(f"no box of {path.name} can be used; the first: {faults[0]}")
