"""What a file of weights is, by what is in it: names say little (.pth.tar is no tar)."""

import struct
import zipfile
from pathlib import Path
from typing import Literal

from tcam_jax.runtime.errors import InputError
from tcam_jax.runtime.plain_files import check_plain, check_unpacked

Kind = Literal["torch", "safetensors", "msgpack"]

_UNPACK = "Unpack it, and give the file of weights in it"
_AGAIN = "Copy or download it again"
_CONVERT = "Convert the weights to .safetensors"
# (place of the bytes, the bytes, what the file is, what to do).
_FOREIGN = (
    (0, b"version https://git-lfs", "a pointer of Git LFS", "Fetch the file: `git lfs pull`"),
    (0, b"\x89HDF\r\n\x1a\n", "an HDF5 file, as of Keras", _CONVERT),
    (0, b"\x93NUMPY", "one NumPy array", _CONVERT),
    (0, b"GGUF", "a GGUF file", _CONVERT),
    (0, b"\x1f\x8b", "compressed (gzip)", _UNPACK),
    (0, b"BZh", "compressed (bzip2)", _UNPACK),
    (0, b"\xfd7zXZ\x00", "compressed (xz)", _UNPACK),
    (0, b"\x28\xb5\x2f\xfd", "compressed (zstd)", _UNPACK),
    (257, b"ustar", "an archive (tar)", _UNPACK),
)
MOST_BYTES = 1 << 33  # of a file, packed or not: the largest network here has a tenth
_HEAD = 512  # bytes that are looked at
_MAPS = (*range(0x81, 0x90), 0xDE, 0xDF)  # first bytes of MessagePack's maps that are not empty


def kind_of(path: Path) -> Kind:
    """Return the format of the file at `path`, whatever its name.

    Raises:
      InputError: it has none of these formats; the message says what it is, and what to do.
    """
    try:
        check_plain(path, MOST_BYTES)
        size = path.stat().st_size
        with path.open("rb") as file:
            head = file.read(_HEAD)
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror}); check it.") from error
    if not head:
        raise _refused(path, "empty", _AGAIN)
    if head.startswith(b"PK\x03\x04"):
        return _in_archive(path)
    for start, magic, what, advice in _FOREIGN:
        if head[start:].startswith(magic):
            raise _refused(path, what, advice)
    if head.lstrip()[:1] == b"<":
        raise _refused(path, "a web page", "Download the file itself")
    if len(head) > 8 and struct.unpack("<Q", head[:8])[0] <= size - 8 and head[8:9] == b"{":
        return "safetensors"
    if head[0] == 0x80 and len(head) > 1 and head[1] in range(2, 6):  # pickles of protocols 2 to 5
        return "torch"
    if head[0] in _MAPS:
        return "msgpack"
    raise _refused(path, "none of these, or damaged", f"{_AGAIN}, or convert it to .safetensors")


def _in_archive(path: Path) -> Kind:
    try:
        with zipfile.ZipFile(path) as archive:
            check_unpacked(archive, MOST_BYTES)
            names = archive.namelist()
            # PyTorch compares no checksums, and may have been told to write none.
            if any(member.CRC for member in archive.infolist()) and (bad := archive.testzip()):
                raise zipfile.BadZipFile(f"the checksum of {bad} is another")
    except Exception as error:  # `zipfile` raises many types for bytes of nonsense
        raise InputError(f"{path} is damaged or cut short ({error}); copy it again.") from error
    # Below a folder whose name is any.
    entries = {name.partition("/")[2] or name for name in names}
    if "constants.pkl" in entries:
        raise InputError(
            f"{path} is a TorchScript archive: a program with its weights, which alone are wanted "
            "here. If you trust it, save them with PyTorch: "
            f'`torch.save(torch.jit.load("{path.name}").state_dict(), "weights.pth")`.'
        )
    if "data.pkl" in entries:
        return "torch"
    if {"archive_format", "archive_version"} & entries:
        what = "a program of torch.export"
        raise _refused(path, what, "Save the state dict of the model that it was made from")
    if names and all(name.endswith(".npy") for name in names):
        raise _refused(path, "an archive of NumPy arrays", _CONVERT)
    raise _refused(path, "an archive (zip)", _UNPACK)


def _refused(path: Path, what: str, advice: str) -> InputError:
    return InputError(
        f"{path} must be a file of weights (PyTorch's, .safetensors, or .msgpack of ours); it is "
        f"{what}. {advice}."
    )
