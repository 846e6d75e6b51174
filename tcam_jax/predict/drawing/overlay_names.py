"""What the picture or video of each predicted file is called."""

from collections import Counter
from collections.abc import Collection, Iterable
from itertools import chain, count
from pathlib import Path

from tcam_jax.predict.formats.names import folded, shortened


def overlay_names(files: Iterable[Path], videos: Collection[Path]) -> dict[Path, Path]:
    """Name overlays as their files, "home.jpg" and "street.mp4"; no two alike.

    A video's is an MP4, an image's a JPEG: "street.avi" has "street.mp4". Where several files would
    have one name, those that do not have it themselves keep their suffix in it: beside "a.jpg",
    "a.png" has "a.png.jpg"; names too long are `shortened`. That depends on all files together,
    not on their order.

    Args:
      files: relative to the folder that holds them all.
      videos: those of them that are videos.

    Returns:
      {file: the overlay, relative to the folder of overlays}.
    """
    files = sorted(set(files))
    suffix = {file: ".mp4" if file in videos else ".jpg" for file in files}
    plain = {file: _fitting(file.with_suffix(suffix[file])) for file in files}
    wanted = Counter(map(_key, plain.values()))
    names: dict[Path, Path] = {}
    taken: set[str] = set()
    # First those whose overlays are called as they are: nobody takes their names.
    for file in sorted(files, key=lambda file: _key(file) != _key(plain[file])):
        own = _key(file) == _key(plain[file]) or wanted[_key(plain[file])] == 1
        numbers = chain([""], (f".{n}" for n in count(2)))
        long = (f"{file.name}{number}{suffix[file]}" for number in numbers)
        others = (_fitting(file.with_name(name)) for name in long)
        candidates = chain([plain[file]] if own else [], others)
        names[file] = next(name for name in candidates if _key(name) not in taken)
        taken.add(_key(names[file]))
    return names


def _fitting(overlay: Path) -> Path:
    return Path(f"{shortened(str(overlay.with_suffix('')))}{overlay.suffix}")


def _key(name: Path) -> str:
    return folded(str(name))
