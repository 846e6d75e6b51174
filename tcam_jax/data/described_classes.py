"""What a prepared dataset says of its features and classes, before TFDS believes it."""

from pathlib import Path
from typing import Any

from tcam_jax.data.class_names import check_class_names
from tcam_jax.runtime.json_files import damaged, read_json, read_small
from tcam_jax.runtime.shapes import shown

_AGAIN = "Delete its folder and run `tcam prepare --config=…` again."
_FEATURES = ("image", "label", "frame_id", "video", "shot", "width", "height", "boxes")


def described_classes(folder: Path) -> tuple[str, ...]:
    """Return the names of the classes of a prepared dataset, by class number.

    TFDS would call them "0", "1" … where it cannot read them, and imports the modules of the Python
    classes that `features.json` names: any others than its own would be run.

    Raises:
      InputError: what describes the dataset is damaged, lacks features, or names others' classes of
        Python.
    """
    count = _number_of_classes(folder / "features.json")
    path = folder / "label.labels.txt"
    content = read_small(path, _AGAIN)
    try:
        names = tuple(line.strip() for line in content.decode().split("\n") if line.strip())
    except UnicodeDecodeError as error:
        raise damaged(path, str(error), _AGAIN) from error
    if len(names) != count:
        raise damaged(path, f"it has {len(names)} class names, for {count} classes", _AGAIN)
    check_class_names(names, str(path))
    return names


def _number_of_classes(path: Path) -> int:
    content = read_json(path, dict[str, Any], _AGAIN)
    level: list[Any] = [content]
    while level:
        for name in ("pythonClassName", "type"):
            for found in (x[name] for x in level if isinstance(x, dict) and name in x):
                if not str(found).startswith("tensorflow_datasets.core.features."):
                    raise damaged(path, f"{name} is {shown(found)}, no feature of TFDS", _AGAIN)
        inner = (x.values() if isinstance(x, dict) else x for x in level)
        level = [x for values in inner for x in values if isinstance(x, dict | list)]
    try:
        features = content["featuresDict"]["features"]
        lacking = [name for name in _FEATURES if name not in features]
        count = int(features["label"]["classLabel"]["numClasses"])
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise damaged(path, "it does not say how many classes there are", _AGAIN) from error
    if lacking:
        raise damaged(path, f"it lacks {', '.join(lacking)}", _AGAIN)
    return count
