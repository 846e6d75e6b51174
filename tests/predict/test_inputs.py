"""Frames in memory and on disk, in any mixture; where each prediction comes from; its mask."""

import io
import warnings

import av
import jax.numpy as jnp
import numpy as np
import pytest
import torch
from PIL import Image

from tcam_jax.predict.inputs import frames_of
from tcam_jax.predict.predictor import Predictor
from tcam_jax.runtime.errors import InputError
from tests.data.test_folder_walk import make
from tests.data.test_video import write
from tests.predict.test_predictor import CLASSES, SIZE, frame, predictor
from tests.runtime.test_plain_files import pipe


@pytest.fixture
def folder(tmp_path):
    """Two images, one of them deeper, a video of three frames, and a text."""
    (tmp_path / "b").mkdir()
    Image.fromarray(frame((0, 8, 0, 8))).save(tmp_path / "a.png")
    Image.fromarray(frame(size=(20, 30))).save(tmp_path / "b" / "z.png")
    write(tmp_path / "film.avi", [0, 0.04, 0.08], size=(64, 48), codec="ffv1")
    (tmp_path / "notes.txt").write_text("no image")
    return tmp_path


pytestmark = pytest.mark.filterwarnings("ignore:.*left out. neither images nor videos. 1 .*txt 1")


def origins(given, root):
    return [
        (str(f.file.relative_to(root)) if f.file else None, f.frame, f.image.shape[:2])
        for f in frames_of(given)
    ]


IMAGE, DEEPER = ("a.png", 0, (SIZE, SIZE)), ("b/z.png", 0, (20, 30))
VIDEO = [("film.avi", i, (48, 64)) for i in range(3)]


def test_paths_of_every_kind(folder):
    assert origins(folder / "a.png", folder) == [IMAGE]
    assert origins(str(folder / "film.avi"), folder) == VIDEO
    assert origins(folder, folder) == [IMAGE, DEEPER, *VIDEO]
    assert origins(f"{folder}/*", folder) == [IMAGE, *VIDEO]
    assert origins(f"{folder}/**/*.png", folder) == [IMAGE, DEEPER]
    assert origins([folder / "film.avi", str(folder / "a.png")], folder) == [*VIDEO, IMAGE]
    np.testing.assert_allclose([f.time for f in frames_of(folder / "film.avi")], [0, 0.04, 0.08])


def test_a_stride_is_of_videos_alone(folder):
    found = list(frames_of(folder, stride=2))
    assert [f.frame for f in found if f.file.name == "film.avi"] == [0, 2]
    assert sum(f.time is None for f in found) == 2
    assert [p.frame for p in predictor()[0].predict(folder / "film.avi", stride=3)] == [0]
    with pytest.raises(InputError, match="stride must be 1 or more frames; got 0"):
        predictor()[0].predict(folder, stride=0)


def test_a_name_with_the_signs_of_a_glob_is_a_name(folder):
    (folder / "a.png").rename(folder / "a[1].png")
    assert origins(folder / "a[1].png", folder) == [("a[1].png", 0, (SIZE, SIZE))]


def test_home_is_expanded(folder, monkeypatch):
    monkeypatch.setenv("HOME", str(folder))
    assert origins("~/a.png", folder) == origins("~/[a]*.png", folder) == [IMAGE]


def test_a_mixture_keeps_its_order_and_numbers_what_is_in_memory(folder):
    image = frame(size=(9, 7))
    mixture = (x for x in (image, folder / "a.png", np.stack([image] * 2), Image.new("L", (5, 6))))
    memory = [(None, i, (9, 7)) for i in range(3)]
    assert origins(mixture, folder) == [memory[0], IMAGE, *memory[1:], (None, 3, (6, 5))]
    assert origins([], folder) == origins(np.zeros((0, 9, 7, 3), np.uint8), folder) == []


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("missing.jpg", r"'missing\.jpg' does not exist; expected an image"),
        ("", "'' does not exist"),
        ("*.gif", r"the glob '\*\.gif' must match images or videos .*\.webm.*; it does not"),
        ("empty", "empty must be an image"),
        ("pipe.mp4", r"pipe\.mp4 must be .*; it is a named pipe: write .* into a file"),
        ("/dev/zero", "/dev/zero must be .*; it is a device: .* camera:0"),
        ("*.mp4", r"the glob '\*\.mp4' must match images or videos .*; it does not"),
        ("loop.png", r"'loop\.png' does not exist"),
    ],
)
def test_a_path_to_nothing_names_the_argument(folder, name, words, monkeypatch):
    (folder / "empty").mkdir()
    pipe(folder / "pipe.mp4")
    (folder / "loop.png").symlink_to("loop.png")
    monkeypatch.chdir(folder)
    with pytest.raises(InputError, match=f"^frames: {words}"):
        list(frames_of(name))


U8 = np.zeros((4, 5, 3), np.uint8)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ([3], "number 0 must be an array .*got int"),
        (iter([U8, None]), "number 1 must be .*got NoneType"),
        ([U8, [U8, (b"x",)]], "number 2 must be .*got bytes"),
        (io.BytesIO(b"x"), "number 0 must be .*got BytesIO"),
        ({"a": U8}, "number 0 must be .*got dict"),
        (np.zeros((2, 4, 4, 3)), r"number 0 .*got float64 .*\(255 \* frames\)\.astype"),
        (U8.astype(np.uint16), r"number 0 .*got uint16 .*\(frames >> 8\)"),
        (np.zeros((4, 5, 4), np.uint8), r"number 0 .*got uint8 \(4, 5, 4\).*\[\.\.\., :3\]"),
        (torch.zeros(3, 4, 5, dtype=torch.uint8), r"number 0 .*\(3, 4, 5\).*numpy\.moveaxis"),
        (np.zeros((2, 4, 5), np.uint8), r"number 0 .*stack of grey frames: frames\[\.\.\., None"),
        (np.zeros((4, 5, 3), bool), r"number 0 .*got bool .*0 to 255: frames\.astype"),
        ([np.zeros((0, 4, 3), np.uint8)], r"number 0 .*got uint8 \(0, 4, 3\).*It is empty"),
        (Image.new("F", (4, 5)), "number 0: its pixels are floating-point numbers"),
        (torch.zeros(4, 5, 3, device="meta"), "number 0 cannot become an array"),
    ],
)
def test_what_is_no_frame_names_the_argument_and_its_number(given, words):
    with pytest.raises(InputError, match=f"^frames: {words}"):
        list(frames_of(given))


def test_tensors_of_any_library_grey_arrays_and_nested_lists():
    rng = np.random.default_rng(0)
    rgb, grey = rng.integers(0, 256, (2, 4, 5, 3), np.uint8), rng.integers(0, 256, (4, 5), np.uint8)
    given = [rgb[0], [torch.from_numpy(rgb), (jnp.asarray(rgb[1]), [grey])], grey[..., None]]
    found = list(frames_of(given))
    expected = [rgb[0], *rgb, rgb[1], *[np.stack([grey] * 3, -1)] * 2]
    assert [f.frame for f in found] == list(range(6))
    for one, other in zip(found, expected, strict=True):
        assert type(one.image) is np.ndarray
        np.testing.assert_array_equal(one.image, other)


def test_pil_images_are_turned_upright_as_files_are(folder):
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(U8).save(folder / "turned.png", exif=exif)
    with Image.open(folder / "turned.png") as image:
        (memory,), (file,) = list(frames_of(image)), list(frames_of(folder / "turned.png"))
    assert memory.image.shape == file.image.shape == (5, 4, 3)
    (scaled,) = frames_of(Image.fromarray(np.full((4, 5), 0x80FF, np.uint16)))
    assert (scaled.image == 0x80).all()


def test_an_open_container_is_read_from_where_it_stands_and_stays_open(folder):
    with av.open(str(folder / "film.avi")) as container:
        found = list(frames_of([U8, container]))
        assert [(f.file and f.file.name, f.frame) for f in found[1:]] == [
            ("film.avi", i) for i in range(3)
        ]
        np.testing.assert_allclose([f.time for f in found[1:]], [0, 0.04, 0.08])
        with pytest.raises(InputError, match=r"^frames: no frame of the container .*seek\(0\)"):
            list(frames_of(container))
        container.seek(0)
        assert len(list(frames_of(container))) == 3
    with av.open(io.BytesIO((folder / "film.avi").read_bytes())) as container:
        assert [(f.file, f.frame) for f in frames_of(container)] == [(None, i) for i in range(3)]
    with pytest.raises(InputError, match=r"^frames: no frame of the container"):
        list(frames_of(container))  # closed


def test_what_a_folder_or_glob_leaves_out_is_warned_of(folder):
    make(folder, "x.pdf", ".old.png", "@eaDir/a.png", ".DS_Store")
    with pytest.warns(
        UserWarning, match=r"left out: neither .*: 2 .*\.txt 1.*; hidden: 1 \(\.old\.png\)$"
    ):
        assert origins(folder, folder) == [IMAGE, DEEPER, *VIDEO]
    with pytest.warns(UserWarning, match=r"left out: neither images nor videos: 2 .*\)$"):
        assert origins(f"{folder}/**/*", folder) == [IMAGE, DEEPER, *VIDEO]
    pipe(folder / "c.png")
    (folder / "d.png").symlink_to("nowhere")
    with pytest.warns(
        UserWarning, match=r"nowhere: 1 \(d.png\); pipes.*: 1 \(c\.png: a named pipe\)"
    ):
        assert origins(f"{folder}/*.png", folder) == [IMAGE]


def test_damage_is_warned_of_and_nothing_at_all_is_an_error(folder):
    (folder / "bad.jpg").write_bytes(b"no image")
    with pytest.warns(UserWarning, match=r"bad\.jpg: cannot be read as an image"):
        assert len(origins(folder, folder)) == 5
    with pytest.raises(InputError, match=r"frames: no frame of .*bad\.jpg can be read: cannot be"):
        list(frames_of(folder / "bad.jpg"))
    with pytest.warns(UserWarning, match=r"notes\.txt: cannot be read as an image"):
        several = predictor()[0].predict([folder / "notes.txt", folder / "a.png"])
    assert [prediction.file.name for prediction in several] == ["a.png"]


def test_predictions_say_where_they_come_from(folder):
    (folder / "notes.txt").unlink()
    with warnings.catch_warnings(action="error"):
        found = predictor()[0].predict(folder)
    assert [(p.file.name, p.frame, p.size) for p in found] == [
        ("a.png", 0, (SIZE, SIZE)),
        ("z.png", 0, (20, 30)),
        *(("film.avi", i, (48, 64)) for i in range(3)),
    ]
    assert found[0].time is None and found[4].time == pytest.approx(0.08)
    assert found[0].box == (0, 0, 8, 8)
    (memory,) = predictor()[0].predict([[frame()]])
    assert (memory.file, memory.frame, memory.time) == (None, 0, None)


def test_maps_are_smoothed_within_a_file_only(folder):
    found = list(predictor()[0].stream([folder / "a.png", folder / "film.avi"], smoothing=2))
    alone = list(predictor()[0].stream(folder / "film.avi", smoothing=2))
    (image,) = predictor()[0].predict(folder / "a.png")
    for one, other in zip(found, [image, *alone], strict=True):
        np.testing.assert_array_equal(one.map, other.map)
    assert (alone[0].map != predictor()[0].predict(folder / "film.avi")[0].map).any()


@pytest.mark.parametrize("size", [(SIZE, SIZE), (45, 1), (1, 1), (37, 91), (480, 640)])
@pytest.mark.parametrize("tau", [0.4, None])
def test_the_mask_is_the_threshold_in_pixels_and_spans_the_boxes(size, tau):
    u8 = np.zeros((SIZE, SIZE), np.uint8)
    u8[4:9, 20:32] = 200
    u8[20:32, 3:11] = 220
    network = Predictor(
        lambda frames: (np.array([[1.0, 2.0, 3.0]]), u8[None]), CLASSES, SIZE, tau, regions="all"
    )
    (found,) = network.predict(np.zeros((*size, 3), np.uint8))
    mask, (height, width) = found.mask(), size
    assert mask.shape == found.resized_map().shape == size and mask.dtype == bool
    expected = np.zeros(size, bool)
    for x0, y0, x1, y1 in found.boxes:
        ys, xs = np.arange(height) + 0.5, np.arange(width) + 0.5
        expected |= np.outer((y0 <= ys) & (ys < y1), (x0 <= xs) & (xs < x1))
    np.testing.assert_array_equal(mask, expected)
    np.testing.assert_allclose(found.probabilities, np.exp([-2, -1, 0]) / np.exp([-2, -1, 0]).sum())
    assert found.probability == found.probabilities[found.class_index]
