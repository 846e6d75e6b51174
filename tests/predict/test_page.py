"""The page to try a network: as a program asks it, and as a browser shows it."""

import os
import socket
import time
import warnings
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tcam_jax.data.video import read_video
from tcam_jax.predict.page import _told, build
from tcam_jax.predict.page_server import serve
from tcam_jax.predict.predictor import Predictor
from tcam_jax.runtime.errors import InputError
from tests.data.test_video import write
from tests.report.look import browser, find_browser

gradio = pytest.importorskip("gradio", reason='an optional page: pip install "tcam_jax[app]"')
SIZE = 16


def forward(frames):
    """The map is the frame's red, the class that of its blue."""
    logits = np.where(frames[..., 2].mean((1, 2))[:, None] > 50, [0.0, 2.0], [2.0, 0.0])
    return logits, frames[..., 0]


MODEL = Predictor(forward, ("cat", "dog"), SIZE, 0.5, of_logits=True)


@pytest.fixture(scope="module")
def address():
    page = build(MODEL)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GRADIO_SSR_MODE", "true")
        address = serve(page, "127.0.0.1", port, wait=False)
    assert not page.ssr_mode  # in which a forged header got past a check
    yield address
    page.close()
    folder = Path(os.environ["GRADIO_TEMP_DIR"])
    assert [path for path in folder.rglob("*") if path.is_file() and path.stat().st_size] == []


@pytest.fixture
def client(address, tmp_path):
    from gradio_client import Client

    return Client(address, verbose=False, download_files=tmp_path / "down")


@pytest.fixture
def image(tmp_path):
    """A dog whose map is 200 in one corner and 100 in another."""
    pixels = np.zeros((64, 64, 3), np.uint8)
    pixels[..., 2] = 100
    pixels[:32, :32, 0], pixels[48:, 48:, 0] = 200, 100
    path = tmp_path / "dog.png"
    Image.fromarray(pixels).save(path)
    return path


def test_an_image_its_threshold_and_a_video(client, image, tmp_path):
    from gradio_client import handle_file

    picture, classes, boxes, threshold = client.predict(handle_file(image), api_name="/of_image")
    assert classes["label"] == "dog"
    assert classes["confidences"][0]["confidence"] == pytest.approx(np.exp(2) / (1 + np.exp(2)))
    (row,) = boxes["data"]
    np.testing.assert_allclose(row[:4], [0, 0, 32, 32], atol=4)
    assert threshold == pytest.approx(127.5 / 255, abs=1e-3)
    assert Image.open(picture).size[0] >= 64
    _, _, boxes = client.predict(0.95, api_name="/at")
    assert boxes["data"] == []
    _, _, boxes = client.predict(0.3, api_name="/at")
    np.testing.assert_allclose(boxes["data"][0][:4], [0, 0, 32, 32], atol=4)
    video = write(tmp_path / "a.avi", [0, 0.04, 0.08], size=(64, 48))
    for stride, frames in ((1, [0, 1, 2]), (2, [0, 1])):
        drawn, mean = client.predict(handle_file(video), stride, api_name="/of_video")
        assert [frame.index for frame in read_video(Path(drawn))] == frames
        assert mean["label"] in ("cat", "dog")


def grey_16(path):
    values = np.full((64, 64), 2_000, np.uint16)
    values[:32, :32] = 40_000
    Image.fromarray(values).save(path)


def transparent(path):
    pixels = np.full((64, 64, 4), (0, 0, 0, 255), np.uint8)
    pixels[:32, :32, 3] = 0
    Image.fromarray(pixels).save(path)


@pytest.mark.parametrize("write_image", [grey_16, transparent])
def test_the_file_is_seen_as_it_is(client, tmp_path, write_image):
    from gradio_client import handle_file

    path = tmp_path / "a.png"
    write_image(path)
    _, classes, boxes, _ = client.predict(handle_file(path), api_name="/of_image")
    (found,) = MODEL.predict(path)
    assert classes["label"] == found.class_name
    np.testing.assert_allclose([row[:4] for row in boxes["data"]], found.boxes, atol=0.1)
    assert len(found.boxes) == 1 and max(found.boxes[0]) < 40


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("floats.tif", np.zeros((8, 8), np.float32), "pixels are floating-point numbers"),
        ("text.jpg", b"no image", "^no frame of text.jpg can be read"),
        ("empty.png", b"", "no frame of empty.png can be read"),
        ("clip.avi", b"", "clip.avi is a video or moves: drop it on the tab Video"),
    ],
)
def test_what_is_wrong_with_a_file_is_said(client, tmp_path, name, content, words):
    from gradio_client import handle_file
    from gradio_client.exceptions import AppError

    path = tmp_path / name
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        Image.fromarray(content).save(path)
    with pytest.raises(AppError, match=words) as raised:
        client.predict(handle_file(path), api_name="/of_image")
    assert "tcam_app" not in str(raised.value)


def test_what_is_warned_of_is_shown(client, tmp_path, monkeypatch):
    from gradio_client import handle_file

    said = []
    monkeypatch.setattr(gradio, "Warning", lambda words, duration: said.append(words))
    pages = [Image.new("RGB", (8, 8))] * 2
    pages[0].save(tmp_path / "pages.tif", save_all=True, append_images=pages[1:])
    client.predict(handle_file(tmp_path / "pages.tif"), api_name="/of_image")
    whole = write(tmp_path / "a.avi", [i / 25 for i in range(20)], size=(64, 48)).read_bytes()
    (tmp_path / "cut.avi").write_bytes(whole[: len(whole) // 2])
    client.predict(handle_file(tmp_path / "cut.avi"), 1, api_name="/of_video")
    assert said[0] == "pages.tif: only the first of its 2 pictures is used"
    assert said[1].startswith("cut.avi: it breaks off after") and len(said) == 2


@pytest.mark.parametrize("warned", [False, True])
def test_a_files_name_is_no_html(monkeypatch, warned):
    said = []
    monkeypatch.setattr(gradio, "Warning", lambda words, duration: said.append(words))
    name = "<img src=x onerror=alert(1)>\n.png"
    try:
        with _told(f"/up/{name}"):
            if warned:
                warnings.warn(f"/up/{name}: cut", stacklevel=1)
            else:
                raise InputError(f"frames: no frame of /up/{name} can be read")
    except gradio.Error as error:
        said.append(error.message)
    with pytest.raises(gradio.Error, match="the result cannot be written: No space"), _told("/up"):
        raise OSError(28, "No space left on device", "/tmp/tcam_app")
    (words,) = said
    assert "&lt;img src=x onerror=alert(1)&gt;\\n.png" in words and "/up" not in words


def test_a_port_in_use_is_named(address):
    page = build(Predictor(forward, ("cat", "dog"), SIZE, 0.5))
    port = int(address.rstrip("/").rsplit(":", 1)[1])
    with pytest.raises(InputError, match=f"--host=127.0.0.1 --port={port} cannot be served") as it:
        serve(page, "127.0.0.1", port, wait=False)
    assert "launch" not in str(it.value)


@pytest.mark.skipif(find_browser() is None, reason="no Chromium is installed")
def test_in_a_browser(address, image):
    def until(script):
        for _ in range(200):
            if value := tab.value_of(script):
                return value
            time.sleep(0.1)
        raise AssertionError(f"never true: {script}")

    with browser() as tab:
        tab.open(address)
        until("!!document.querySelector('input[type=file]')")
        document = tab.ask("DOM.getDocument")["root"]["nodeId"]
        found = tab.ask("DOM.querySelector", nodeId=document, selector="input[type=file]")
        tab.ask("DOM.setFileInputFiles", files=[str(image)], nodeId=found["nodeId"])
        text = "document.body.innerText"
        until(f"/dog/i.test({text}) && /88%/.test({text})")
        until("document.querySelectorAll('img').length >= 1")
        # The number beside the slider: what a reader types.
        until("+document.querySelector('input[type=number]').value === 0.5")
        tab.value_of(
            "(() => { const s = document.querySelector('input[type=range]');"
            "s.value = 0.95; s.dispatchEvent(new Event('input', {bubbles: true}));"
            "s.dispatchEvent(new Event('change', {bubbles: true}));"
            "s.dispatchEvent(new PointerEvent('pointerup', {bubbles: true})); })()"
        )
        until(
            "!/\\b32\\b/.test([...document.querySelectorAll('td')].map(x => x.innerText).join(' '))"
        )
        asked = {
            event["params"]["request"]["url"]
            for event in tab.events
            if event.get("method") == "Network.requestWillBeSent"
        }
        elsewhere = {url for url in asked if not url.startswith((address, "data:", "blob:"))}
        assert elsewhere == set()
