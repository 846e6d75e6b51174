"""What was found wrong with the source files; one rule for every kind of fault."""

from typing import Literal, NamedTuple

from tcam_jax.runtime.errors import InputError

Action = Literal["doubtful", "kept", "repaired", "skipped", "ignored"]


class Rule(NamedTuple):
    """What happens to a kind of fault, and the fault in plain words."""

    # doubtful: kept, but look at it; ignored: no fault
    action: Action
    meaning: str


HARMLESS = ("kept", "ignored")

RULES = {
    # Images.
    "zero_bytes": Rule("skipped", "the file is empty (zero bytes)"),
    "undecodable": Rule(
        "skipped", "the image is damaged, of a kind that cannot be read, or no image"
    ),
    "unreadable": Rule("skipped", "the file cannot be read"),
    "dead_link": Rule("skipped", "a symbolic link that leads nowhere"),
    "special": Rule("skipped", "a pipe, a socket or a device, where files are expected"),
    "link_loop": Rule("skipped", "a symbolic link to a folder that it lies in"),
    "not_a_frame": Rule("skipped", "a file where only frames are expected"),
    "hidden": Rule("skipped", "a hidden file or folder: its name begins with a dot"),
    "system": Rule("ignored", "what systems and tools leave in folders"),
    "bad_name": Rule("skipped", "the name is no UTF-8 text"),
    "duplicate": Rule("skipped", "the frame has the same bytes as the one before it in its shot"),
    "not_jpeg": Rule("repaired", "another image format, converted to JPEG"),
    "cmyk": Rule("repaired", "a CMYK image, converted to RGB"),
    "exif_rotated": Rule("repaired", "the EXIF tag says that the image is rotated: turned upright"),
    "several_pictures": Rule("kept", "an image file of several pictures or pages"),
    "grey": Rule("kept", "a grey image; it is read as RGB"),
    "progressive": Rule("kept", "a progressive JPEG; it decodes more slowly"),
    # Shots and videos.
    "empty_shot": Rule("skipped", "a shot without any usable frame"),
    "one_frame_shot": Rule("kept", "a shot of one frame: its windows have no neighbours"),
    "same_video": Rule("skipped", "a video that its class has already, a copy or a link"),
    "video_in_two_classes": Rule("skipped", "the same video in two classes: neither is used"),
    "empty_video": Rule("skipped", "a video without any usable frame"),
    "undecodable_video": Rule("skipped", "the video file cannot be decoded"),
    "broken_video": Rule(
        "kept", "the video file breaks off or is damaged; the frames that can be decoded are used"
    ),
    "unlabelled_video": Rule("skipped", "a video that no annotation puts into a split"),
    "video_in_two_splits": Rule("kept", "a video that is annotated for training and for test"),
    "missing_video": Rule("skipped", "a video that a list names is not there"),
    "frame_without_shot": Rule("skipped", "a frame that belongs to no shot"),
    "missing_frame": Rule("skipped", "a frame that a list or an annotation names is not there"),
    "same_name": Rule(
        "doubtful", "two names that look the same and differ in their Unicode form: rename one"
    ),
    # Boxes.
    "boxes_convention": Rule(
        "doubtful", "the boxes seem to be written in another way than they are read"
    ),
    "box_by_ending": Rule("kept", "boxes whose file names frames by the end of their path alone"),
    "box_clipped": Rule("repaired", "a box that leaves its image, clipped to it"),
    "box_inverted": Rule("repaired", "a box with swapped corners, put in order"),
    "box_rescaled": Rule("repaired", "a box for another image size, rescaled to the file's"),
    "box_known": Rule("repaired", "a box that the dataset's users know to be wrong, mended"),
    "box_empty": Rule("skipped", "a box without area inside its image"),
    "box_malformed": Rule("skipped", "a line or an entry that is no box"),
    "box_share": Rule("skipped", "a box in shares of its frame (0 to 1) among boxes in pixels"),
    "box_other_shape": Rule("skipped", "a region that is no upright rectangle"),
    "box_other_size": Rule("skipped", "a box whose file says that its frame has another shape"),
    "box_other_label": Rule("skipped", "a box with the label of another class than its folder"),
    "box_without_frame": Rule("skipped", "a box of a frame that is not there or was skipped"),
    "bad_annotation": Rule("skipped", "an annotation file that is damaged or of another kind"),
}


class Finding(NamedTuple):
    """One fault: a key of `RULES`, the place, and what more there is to say ("" if nothing)."""

    kind: str
    where: str
    detail: str = ""

    def __str__(self) -> str:
        rule = RULES[self.kind]
        detail = f" ({self.detail})" if self.detail else ""
        return f"{self.where}: {rule.meaning}{detail}: {rule.action}"


def is_harmless(kind: str, published: frozenset[str]) -> bool:
    """Whether a strict preparation goes on: see `Findings` for `published`."""
    return RULES[kind].action in HARMLESS or kind in published


class Findings:
    """The faults of one dataset, in the order in which they were found.

    Args:
        strict: stop at the first fault that is repaired, skipped or doubtful.
        published: kinds that are known properties of the dataset as its authors publish it; they
            do not stop a strict preparation.
    """

    def __init__(self, strict: bool = False, published: frozenset[str] = frozenset()):
        self._strict, self._published = strict, published
        self.all: list[Finding] = []

    def add(self, finding: Finding) -> None:
        """Notes a fault.

        Raises:
            InputError: in strict mode, for a fault that is not simply kept.
        """
        self.all.append(finding)
        if self._strict and not is_harmless(finding.kind, self._published):
            raise InputError(
                f"{finding}; this is a strict preparation, which stops here: mend the source, or "
                "prepare without --strict"
            )
