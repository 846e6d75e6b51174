"""Names in all scripts: which font, and what is said where there is none."""

import warnings

import numpy as np
import pytest
from fontTools.fontBuilder import FontBuilder
from fontTools.pens.ttGlyphPen import TTGlyphPen
from PIL import features

from tcam_jax.predict.drawing import fonts
from tcam_jax.predict.drawing.labels import label

PLATE = (0, 255, 255)


def make_font(path, characters, width):
    """Write a font whose letters are bars."""
    pen = TTGlyphPen(None)
    pen.moveTo((100, 0))
    for corner in ((100, 800), (width - 100, 800), (width - 100, 0)):
        pen.lineTo(corner)
    pen.closePath()
    bar, empty = pen.glyph(), TTGlyphPen(None).glyph()
    builder = FontBuilder(1000, isTTF=True)
    builder.setupGlyphOrder([".notdef", "bar"])
    builder.setupCharacterMap({ord(c): "bar" for c in characters})
    builder.setupGlyf({".notdef": empty, "bar": bar})
    builder.setupHorizontalMetrics({".notdef": (width, 0), "bar": (width, 100)})
    builder.setupHorizontalHeader(ascent=900, descent=-200)
    builder.setupNameTable({"familyName": path.stem, "styleName": "Regular"})
    builder.setupOS2()
    builder.setupPost()
    builder.save(path)
    return str(path)


@pytest.fixture
def system(monkeypatch):
    """Return a function that says which fonts the system has."""
    caches = (fonts.drawable, fonts.font_file, fonts._system_files, label)

    def has(*files):
        monkeypatch.setattr("matplotlib.font_manager.findSystemFonts", lambda: list(files))
        for known in caches:
            known.cache_clear()

    yield has
    monkeypatch.undo()
    for known in caches:
        known.cache_clear()


@pytest.mark.parametrize(
    "name", ["café", "cafe\u0301", "кот", "γάτα", "قطة", "חתול", "cat 😀", "©"]
)
def test_most_alphabets_need_no_font_of_the_system(system, name):
    system()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        shown = fonts.drawable(name, 0)
    assert shown == name.replace("e\u0301", "é")
    plate = label(shown, "0.93", 20, PLATE, 1000)
    without = label("", "0.93", 20, PLATE, 1000)
    assert plate.shape[1] > without.shape[1] + 10 and (plate != PLATE).any()


def test_the_first_font_with_all_characters_is_taken(system, tmp_path):
    some = make_font(tmp_path / "a.ttf", "猫", 500)
    bold = make_font(tmp_path / "b-Bold.ttf", "猫科 ", 700)
    plain = make_font(tmp_path / "c.ttf", "猫科 ", 900)
    placeholders = make_font(tmp_path / "LastResort.otf", "猫科 犬", 1000)
    (tmp_path / "no.ttf").write_bytes(b"no font")
    system(str(tmp_path / "no.ttf"), placeholders, bold, some, plain)
    assert fonts.font_file("猫") == some
    assert fonts.font_file("猫 科") == plain
    assert fonts.font_file("犬") is None
    assert fonts.font_file("cat") == fonts.default_file()
    # Each part in its font: two bars of 20 px an em, then the numbers.
    plate = label("猫科", "0.93", 20, PLATE, 1000)
    numbers = label("", "0.93", 20, PLATE, 1000)
    assert abs(plate.shape[1] - numbers.shape[1] - 2 * 18) <= 2
    assert (plate[10] == 0).all(-1).sum() > 20


def test_a_name_that_no_font_has_is_replaced_and_said_once(system):
    system()
    with pytest.warns(UserWarning, match="'猫 cat'.*'class 3'.*needs '猫'.*Install") as said:
        assert [fonts.drawable("猫 cat", 3) for _ in range(3)] == ["class 3"] * 3
    assert len(said) == 1


def test_letters_that_join_need_fribidi(system, monkeypatch):
    system()
    monkeypatch.setattr(features, "check", lambda feature: feature != "raqm")
    with pytest.warns(UserWarning, match="'قطة' join .* FriBiDi"):
        assert fonts.drawable("قطة", 2) == "class 2"
    assert fonts.drawable("кот", 2) == "кот"


def test_a_label_is_cut_before_its_numbers_are(system):
    system()
    whole = label("a long name", "0.93", 14, PLATE, 1000)
    cut = label("a long name", "0.93", 14, PLATE, 90)
    numbers = label("", "0.93", 14, PLATE, 1000)
    assert numbers.shape[1] < cut.shape[1] <= 90 < whole.shape[1]
    tail = numbers.shape[1] - 8
    assert (np.abs(whole[:, -tail:].astype(int) - cut[:, -tail:]).mean(-1) > 99).mean() < 0.1
    assert label("a long name", "0.93", 14, PLATE, 20).size == 0
    assert not whole.flags.writeable  # it is handed out again
