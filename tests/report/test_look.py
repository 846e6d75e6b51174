"""A page in a real browser, where there is one; of a whole run: `python -m tests.report.look`."""

import pytest

from tests.report.look import find_browser, look
from tests.report.test_page import _page

needs_browser = pytest.mark.skipif(find_browser() is None, reason="no Chromium is installed")


@needs_browser
def test_a_page_is_sound_on_every_screen(tmp_path):
    (tmp_path / "report.html").write_text(_page("a rather long word " * 8))
    folder = tmp_path / "of/pictures"
    assert look(tmp_path / "report.html", folder) == []
    pictures = {path.name: path.read_bytes() for path in folder.glob("*.png")}
    assert len(set(pictures.values())) == 4  # light and dark differ


@needs_browser
@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ('<img src="https://example.invalid/a.png" alt="x">', "asks for https://example.invalid"),
        ('<a href="#nowhere">x</a>', "leads nowhere: #nowhere"),
        ('<div style="width: 3000px">x</div>', "wider than the page"),
        ("<script>console.error('bad')</script>", "console:"),
        ('<img src="data:image/png;base64,AAAA" alt="broken">', "does not load: broken"),
    ],
)
def test_faults_are_seen(tmp_path, fault, words):
    (tmp_path / "report.html").write_text(_page().replace("</main>", f"{fault}</main>"))
    assert any(words in found for found in look(tmp_path / "report.html", tmp_path))
