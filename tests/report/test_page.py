"""The page: parsed, it needs nothing from outside, and says what its pictures show."""

from html.parser import HTMLParser
from xml.etree import ElementTree

import numpy as np
import pytest

from tcam_jax.report.curves import line_plot, threshold_curves, training_curves
from tcam_jax.report.page import Group, Plot, Section, Summary, render
from tcam_jax.report.pictures import still
from tcam_jax.report.table import Table

VOID = {"meta", "link", "img", "br", "input"}


class Page(HTMLParser):
    """Collects elements; fails where they are not nested."""

    def __init__(self, text):
        super().__init__()
        self.open, self.elements, self.text = [], [], []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)

    def all(self, tag):
        return [attributes for name, attributes in self.elements if name == tag]


def check_page(text):
    """Assert what holds for every report; return the parsed page."""
    page = Page(text)
    for image in page.all("img"):
        assert (
            image["alt"] and image["loading"] == "lazy" and image["src"].startswith("data:image/")
        )
    assert all(svg["role"] == "img" and svg["aria-label"] for svg in page.all("svg"))
    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    links = [attributes["href"] for attributes in page.all("a")]
    assert links and all(link.startswith("#") and link[1:] in ids for link in links)
    assert page.all("script") in ([], [{}]) and not page.all("iframe")
    for tag, attributes in page.elements:
        for name in ("src", "href", "srcset", "poster", "xlink:href"):
            if name in attributes:
                assert attributes[name].startswith(("data:", "#")), (tag, attributes[name][:80])
    assert "@import" not in text and "url(http" not in text
    assert len(text) < 10e6
    return page


def _page(word="word"):
    picture = still(np.zeros((20, 30, 3), np.uint8), f"{word} alt", f"{word} caption")
    svg = line_plot({word: ([0.0, 1.0], [2.0, 3.0])}, "x", "y", f"{word} plot")
    rows = [[word, "1"], ["other", "2"]]
    table = Table("T", ["a", "b"], rows, f"{word} note", others=1, best=[0])
    groups = [
        Group("one", "text", plots=[Plot(svg, word)], figures=[picture], tables=[table]),
        Group(word, figures=[picture, picture], folded=True),
    ]
    summary = Summary(f"title {word}", "41.7", "explained", [("Name", word)])
    return render(summary, [Section("first", "First", groups), Section("second", word, [])])


def _with(group):
    return render(Summary("t", "1", "e", []), [Section("first", "First", [group])])


def test_everything_is_in_the_page():
    page = check_page(_page())
    assert [link["href"] for link in page.all("a")] == ["#first", "#second"]
    assert len(page.all("img")) == 3 and len(page.all("svg")) == 1
    assert [row.get("class") for row in page.all("tr")] == [None, "ours best", None]
    assert len(page.all("details")) == 1


def test_a_table_of_shares_has_a_deeper_ground_where_they_are_larger():
    table = Table("T", ["a", "b", "c"], [["x", "0", "50"]], heat=True)
    cells = check_page(_with(Group(tables=[table]))).all("td")
    assert [cell.get("style") for cell in cells] == [None, "--share: 0.0%", "--share: 30.0%"]


def test_what_users_name_is_text_never_html():
    page = check_page(_page("<b onload=x>&\"'"))
    assert page.all("b") == [{}]  # the score's own
    assert "<b onload=x>&\"'" in "".join(page.text)


@pytest.mark.parametrize("label", ["plain", 'with "quotes" & <angles>'])
def test_plots_are_sound_svg_in_the_pages_colours(label):
    lines = {"cam": ([0.0, 0.5, 1.0], [1.0, 3.0, 2.0]), "tcam": ([0.0, 1.0], [0.0, 1.0])}
    svg = line_plot(lines, "τ", "y", label)
    root = ElementTree.fromstring(svg)
    assert root.get("aria-label") == label
    assert "currentColor" in svg and "#010203" not in svg
    words = [element.text for element in root.iter() if element.tag.endswith("}text")]
    assert {"cam", "tcam", "τ"} <= set(words)


def test_metrics_that_change_are_drawn_and_the_losses_come_first():
    metrics = [
        {"step": 0, "epoch": 0.0, "validation_accuracy": 10.0},
        {"step": 1, "epoch": 0.5, "loss": 2.0, "learning_rate": 0.1, "skipped": 0, "loss_crf": 1.0},
        {
            "step": 2,
            "epoch": 1.0,
            "loss": 1.0,
            "learning_rate": 0.05,
            "skipped": 0,
            "loss_crf": 3.0,
        },
        {"step": 2, "epoch": 1.0, "validation_accuracy": 30.0, "validation_corloc_cam": None},
    ]
    curves = training_curves(metrics, "Stage 1")
    names = [name for name, _ in curves]
    assert names == ["loss", "loss_crf", "validation_accuracy", "learning_rate"]
    assert "from 2 to 1" in curves[0][1]
    assert training_curves([], "Stage 1") == []


def test_no_curve_without_boxes():
    assert threshold_curves({"curves": None}) is None
    curves = {"tau": [0.0, 0.5], "corloc": {"tcam": [10.0, 20.0]}}
    assert "tcam at most 20.0" in threshold_curves({"curves": curves})
