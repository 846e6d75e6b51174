"""How fast windows are read: the pipeline beside its bare operations and a PyTorch DataLoader.

All four read the same windows of the same JPEG files in one run, taking turns, with as many threads
or processes as there are cores; what counts is their ratio, not the machine.
"""

import statistics
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from skimage import data

from tcam_jax.data.builders.registry import prepare
from tcam_jax.data.records import Split, open_split
from tcam_jax.data.sampler import window_indices
from tcam_jax.runtime.cores import usable_cores
from tcam_jax.runtime.errors import InputError

RESIZE = 256  # pixels, as in tcam_jax/config/defaults.py
BATCH_SIZE = 32
SEED = 0
JPEG_QUALITY = 90

FRAMES_PER_SHOT = 10


def write_frames(root: Path, width: int, height: int, num_shots: int) -> None:
    """class/video/shot/*.jpg of photographs, each moved on a little from frame to frame.

    No two frames are equal, for videos that come twice are left out.
    """
    photos = [data.astronaut(), data.coffee(), data.chelsea(), data.rocket()]
    for shot in range(num_shots):
        folder = root / ("ab"[shot % 2]) / f"video{shot}" / "shot"
        folder.mkdir(parents=True)
        photo = Image.fromarray(photos[shot % len(photos)])
        photo = photo.resize((width, height), Image.Resampling.BICUBIC)
        for frame in range(FRAMES_PER_SHOT):
            moved = Image.fromarray(np.roll(np.asarray(photo), (shot, 8 * frame), (0, 1)))
            moved.save(folder / f"{frame}.jpg", quality=JPEG_QUALITY)


def prepare_frames(source: Path, folder: Path, config: str) -> Split:
    """The frames of a folder as a training split, prepared as `config` says: "…_train256"."""
    prepare("video_folder", config, folder, source, fractions=(1.0, 0.0, 0.0))
    return open_split(folder, "video_folder", config, "train")


def measure(split: Split, folder: Path, steps: int, rounds: int) -> dict:
    """Reads the frames of a split, and as files in `folder`, where they are written.

    Returns:
        `size`, `kb` of a frame, `cores`, `windows` and `frames` read in a round; for each way of
        reading its median `windows_per_s_per_core`, `frames_per_s_per_core`, and `pipeline_over`:
        the median over the rounds of the pipeline's speed divided by the other's. Ways: `pipeline`;
        `decode` and `decode_resize`, its own operations bare; `dataloader`.
    """
    from tcam_jax.data.decode import decode_jpeg, resize  # imports TensorFlow

    windows = _windows(split, steps)
    jpegs = [split.read_jpeg(record) for window in windows for record in window]
    cores = usable_cores()
    ways: dict[str, Callable[[], None]] = {
        "pipeline": lambda: _run_pipeline(split, steps),
        "decode": lambda: _run_bare(decode_jpeg, jpegs, cores),
        "decode_resize": lambda: _run_bare(lambda x: resize(decode_jpeg(x), RESIZE), jpegs, cores),
        "dataloader": _dataloader(split, folder, windows, cores),
    }
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for number in range(rounds + 1):
        for name, run in ways.items():
            start = time.perf_counter()
            run()
            if number > 0:  # the first round warms up, and starts the DataLoader's processes
                seconds[name].append(time.perf_counter() - start)
    height, width, _ = decode_jpeg(jpegs[0]).shape
    result: dict[str, Any] = {
        "size": f"{width}x{height}",
        "kb": sum(map(len, jpegs)) / len(jpegs) / 1e3,
        "cores": cores,
        "windows": len(windows),
        "frames": len(jpegs),
    }
    for name, times in seconds.items():
        median = statistics.median(times)
        ratios = [other / own for other, own in zip(times, seconds["pipeline"], strict=True)]
        result[name] = {
            "windows_per_s_per_core": len(windows) / median / cores,
            "frames_per_s_per_core": len(jpegs) / median / cores,
            "pipeline_over": statistics.median(ratios),
        }
    return result


def _windows(split: Split, steps: int) -> list[list[int]]:
    """The distinct records of every window: what has to be decoded."""
    windows = []
    for step in range(steps):
        records, _ = window_indices(
            split.table, seed=SEED, step=step, batch_size=BATCH_SIZE, n=1, mode="before"
        )
        windows += [sorted(set(window.tolist())) for window in records]
    return windows


def _run_pipeline(split: Split, steps: int) -> None:
    from tcam_jax.data.windows import training_batches  # imports TensorFlow

    batches = training_batches(
        split,
        seed=SEED,
        first_step=0,
        num_steps=steps,
        batch_size=BATCH_SIZE,
        n=1,
        mode="before",
        resize_size=RESIZE,
    )
    for _ in batches:
        pass


def _run_bare(operation: Callable[[bytes], Any], jpegs: Sequence[bytes], cores: int) -> None:
    def run(part: Sequence[bytes]) -> None:
        for jpeg in part:
            operation(jpeg)

    with ThreadPoolExecutor(cores) as pool:
        list(pool.map(run, [jpegs[number::cores] for number in range(cores)]))


class WindowFiles:
    """A PyTorch dataset of windows as its users write it: Pillow, one item a window."""

    def __init__(self, windows: list[list[str]]):
        self._windows = windows

    def __len__(self) -> int:
        return len(self._windows)

    def __getitem__(self, index: int) -> Any:
        import torch

        frames = []
        for path in self._windows[index]:
            with Image.open(path) as image:
                frame = image.convert("RGB").resize((RESIZE, RESIZE), Image.Resampling.BILINEAR)
            frames.append(torch.from_numpy(np.array(frame)))
        # A window at a shot's beginning has one frame less to decode.
        return torch.stack([frames[0], frames[-1]])


def _dataloader(
    split: Split, folder: Path, windows: list[list[int]], cores: int
) -> Callable[[], None]:
    try:
        from torch.utils.data import DataLoader
    except ImportError as error:
        raise InputError("this benchmark needs PyTorch: pip install torch") from error
    for record in {record for window in windows for record in window}:
        (folder / f"{record}.jpg").write_bytes(split.read_jpeg(record))
    loader = DataLoader(
        WindowFiles([[str(folder / f"{record}.jpg") for record in window] for window in windows]),
        batch_size=BATCH_SIZE,
        num_workers=cores,
        persistent_workers=True,
        multiprocessing_context="forkserver",  # a fork would copy TensorFlow's locks
    )

    def run() -> None:
        for _ in loader:
            pass

    return run
