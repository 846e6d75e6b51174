"""Looks at a report in headless Chromium, and takes its picture.

    python -m tests.report.look RUN/report.html FOLDER

Fails on console errors, requests, links that lead nowhere, pictures that do not load, and a page
wider than a telephone. Into FOLDER go pictures of a telephone and a desktop, light and dark.
`tests/report/test_look.py` does the same where Chromium is installed.
"""

import base64
import itertools
import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import websocket

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
SIZES = {"telephone": (390, 844), "desktop": (1280, 900)}
SCHEMES = ("light", "dark")


def find_browser() -> str | None:
    """Return the path of an installed Chromium."""
    return next(filter(None, map(shutil.which, BROWSERS)), None)


class Tab:
    """A page of the browser, spoken to by the DevTools protocol."""

    def __init__(self, address: str):
        self._socket = websocket.create_connection(
            address, timeout=60, suppress_origin=True, skip_utf8_validation=True
        )
        self._numbers, self._session, self.events = itertools.count(1), None, []
        target = self.ask("Target.createTarget", url="about:blank")["targetId"]
        attached = self.ask("Target.attachToTarget", targetId=target, flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.ask(f"{domain}.enable")

    def ask(self, method: str, **params):
        """Send a command and return its result; keep the events that come meanwhile."""
        number = next(self._numbers)
        message = {"id": number, "method": method, "params": params}
        self._socket.send(json.dumps(message | self._of_session()))
        while True:
            answer = json.loads(self._socket.recv())
            if answer.get("id") == number:
                assert "error" not in answer, f"{method}: {answer['error']}"
                return answer["result"]
            self.events.append(answer)

    def wait_for(self, event: str) -> None:
        """Return when the event comes, or has come since the last `open`."""
        while all(seen.get("method") != event for seen in self.events):
            self.events.append(json.loads(self._socket.recv()))

    def open(self, address: str) -> None:
        """Load a page to its end."""
        self.events.clear()
        self.ask("Page.navigate", url=address)
        self.wait_for("Page.loadEventFired")

    def resize(self, width: int, height: int, mobile: bool) -> None:
        """Make the window another device's."""
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": mobile}
        self.ask("Emulation.setDeviceMetricsOverride", **size)

    def press(self, key: str) -> None:
        """Press a key, by its DOM name, on what has the focus."""
        code = {"ArrowRight": 39, "ArrowLeft": 37, "Enter": 13, " ": 32}[key]
        text = {"text": "\r"} if key == "Enter" else {"text": " "} if key == " " else {}
        about = {"key": key, "windowsVirtualKeyCode": code}
        self.ask("Input.dispatchKeyEvent", type="keyDown", **about, **text)
        self.ask("Input.dispatchKeyEvent", type="keyUp", **about)

    def value_of(self, script: str):
        """Return what a script's last expression, or its promise, gives."""
        answer = self.ask(
            "Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True
        )
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def _of_session(self) -> dict[str, str]:
        return {"sessionId": self._session} if self._session else {}


@contextmanager
def browser() -> Iterator[Tab]:
    """A new browser with an empty profile."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        process = subprocess.Popen(
            [
                find_browser(),
                "--headless=new",
                "--no-sandbox",
                "--disable-gpu",
                "--remote-debugging-port=0",
                f"--user-data-dir={profile}",
            ],
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            for line in process.stderr:
                if line.startswith("DevTools listening on "):
                    yield Tab(line.split()[-1])
                    break
        finally:
            process.kill()
            process.wait()


_PICTURES = """
(async () => {
  const pictures = [...document.images];
  for (const picture of pictures) { picture.loading = "eager"; }
  await Promise.all(pictures.map(picture => picture.decode().catch(() => {})));
  return pictures.filter(picture => picture.naturalWidth == 0).map(picture => picture.alt);
})()
"""
DRAWN = """
(async () => {
  for (let i = 0; i < 200 && document.querySelector("section.thresholds:not(.drawn)"); i++) {
    await new Promise(done => setTimeout(done, 50));
  }
  return !document.querySelector("section.thresholds:not(.drawn)");
})()
"""
BOXES = """
[...document.querySelectorAll(".view canvas")].map(canvas => [
  canvas.getAttribute("aria-label").split(": ")[0], canvas.dataset.method,
  JSON.parse(canvas.dataset.box), canvas.nextElementSibling.textContent])
"""
SLIDERS = """
[...document.querySelectorAll(".slider")].map(slider => slider.querySelector("output").textContent)
"""
_MOVE = """
(async () => {
  for (const slider of document.querySelectorAll("input[type=range]")) {
    slider.value = 0.1;
    slider.dispatchEvent(new Event("input"));
  }
  await new Promise(requestAnimationFrame);
  await new Promise(requestAnimationFrame);
})()
"""
_LINKS = """
[...document.querySelectorAll("a[href]")].map(link => link.getAttribute("href"))
  .filter(href => !(href.startsWith("#") && document.getElementById(href.slice(1))))
"""
_WIDER = """
[...document.querySelectorAll("body *")]
  .filter(e => e.getBoundingClientRect().right > innerWidth + 1 && !e.closest(".scroll, nav ul"))
  .map(e => e.tagName + "." + e.className)
"""


def look(page: Path, folder: Path) -> list[str]:
    """Return what is wrong with a page, its sliders moved too; write its pictures."""
    faults = []
    folder.mkdir(parents=True, exist_ok=True)
    with browser() as tab:
        for (device, (width, height)), scheme in itertools.product(SIZES.items(), SCHEMES):
            tab.resize(width, height, mobile=device == "telephone")
            feature = {"name": "prefers-color-scheme", "value": scheme}
            tab.ask("Emulation.setEmulatedMedia", features=[feature])
            tab.open(page.resolve().as_uri())
            where = f"{device}, {scheme}"
            faults += [f"{where}: does not load: {alt}" for alt in tab.value_of(_PICTURES)]
            if not tab.value_of(DRAWN):
                faults.append(f"{where}: maps are not drawn")
            faults += [f"{where}: leads nowhere: {href}" for href in tab.value_of(_LINKS)]
            faults += [f"{where}: wider than the page: {e}" for e in tab.value_of(_WIDER)]
            shot = tab.ask("Page.captureScreenshot", format="png", captureBeyondViewport=True)
            (folder / f"{device}_{scheme}.png").write_bytes(base64.b64decode(shot["data"]))
            before = tab.value_of(SLIDERS)
            tab.value_of(_MOVE)
            still = [text for text in tab.value_of(SLIDERS) if text in before]
            faults += [f"{where}: the slider does not move: {text}" for text in still]
            faults += [f"{where}: {fault}" for fault in complaints(tab.events)]
    return faults


def complaints(events: list[dict]) -> Iterator[str]:
    for event in events:
        method, params = event.get("method"), event.get("params", {})
        if method == "Network.requestWillBeSent":
            url = params["request"]["url"]
            if not url.startswith(("data:", "file:")):
                yield f"asks for {url}"
        elif method == "Runtime.exceptionThrown":
            yield f"exception: {params['exceptionDetails']['text']}"
        elif method == "Log.entryAdded" and params["entry"]["level"] in ("error", "warning"):
            yield f"console: {params['entry']['text']}"
        elif method == "Runtime.consoleAPICalled":
            yield f"console: {params['args']}"


if __name__ == "__main__":
    found = look(*(Path(place).expanduser() for place in sys.argv[1:3]))
    print("\n".join(found) or "nothing is wrong")
    sys.exit(bool(found))
