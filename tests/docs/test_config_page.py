"""docs/config.md: up to date, every field in it, with the comment that the source has."""

import re
import runpy
import sys
from pathlib import Path

from tcam_jax.config import defaults
from tcam_jax.config.rules import CHOICES, flatten, validate
from tcam_jax.losses.schedule import SCHEDULE
from tests.docs.fenced import load

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "config.md").read_text()
ROW = re.compile(
    r"^\| `(?P<field>[\w.]+)` \| (?P<default>.+?) \| (?P<meaning>.*) \|$", re.MULTILINE
)


def _generator():
    return runpy.run_path(str(DOCS / "generate_config.py"))


def test_the_page_is_up_to_date():
    assert _generator()["page"]() == PAGE, "run: python docs/generate_config.py"


def test_every_field_is_there_with_its_default_and_a_meaning():
    rows = {row["field"]: row for row in ROW.finditer(PAGE)}
    for field, value in flatten(defaults.get_config()).items():
        section, _, name = field.rpartition(".")
        if field not in rows and section.startswith("tcam.losses."):
            assert value == SCHEDULE[name]
            field = f"tcam.losses.NAME.{name}"
        if isinstance(value, list):
            value = tuple(value)
        assert rows[field]["default"] == f"`{value!r}`"
    for field, row in rows.items():
        assert len(row["meaning"]) > 10, f"{field} has no comment in config/defaults.py"
    for field, choices in CHOICES.items():
        for choice in choices:
            assert re.search(rf"\b{choice}\b", rows[field]["meaning"]), (field, choice)


def test_comments_are_found_above_beside_and_in_the_files_own_functions():
    found = _generator()["meanings"](
        """
def get_config():
    config = ConfigDict()
    # Two lines
    # above
    config.one = 1  # and beside

    # not of this one

    config.part = part = ConfigDict()  # a section
    part.two = "#"  # with a # in the value
    part.inner = _inner(3)
    part.inner.own = 4  # own
    part.literal = ConfigDict({"x": 1})  # of the section
    config.tcam = tcam = ConfigDict()
    tcam.losses = losses = ConfigDict()
    losses.a = loss(weight=1)  # of the loss
    losses.b = loss(  # of b
        weight=1,  # its weight's
    )


def _inner(x):
    return ConfigDict(
        {
            "x": x,  # from the function
        }
    )


def loss(weight):
    return ConfigDict(
        {
            "weight": weight,  # of all
        }
    )
"""
    )
    assert found == {
        "one": "Two lines above and beside",
        "part": "a section",
        "part.two": "with a # in the value",
        "part.inner": "",
        "part.inner.x": "from the function",
        "part.inner.own": "own",
        "part.literal": "of the section",
        "part.literal.x": "of the section",
        "tcam": "",
        "tcam.losses": "",
        "tcam.losses.a": "of the loss",
        "tcam.losses.b": "of b",
        "tcam.losses.b.weight": "its weight's",
        "tcam.losses.*.weight": "of all",
    } | {"": ""}


def test_the_authors_flags_lead_to_fields_there_are():
    table = (DOCS / "paper_vs_reference.md").read_text().partition("| flag of the authors")[2]
    known, named = flatten(defaults.get_config()).keys(), 0
    for row in re.findall(r"^\| `--.*\| (.*) \|$", table, re.MULTILINE):
        field = ""
        for name, value in re.findall(r"`([a-z_*.]*\.[a-z_.]+|precision)(?:=(\w+))?`", row):
            section = field.rpartition(".")[0] if name.startswith(".") else ""
            field = section + name
            assert known >= {field.replace("*", part) for part in ("classifier", "tcam")}, row
            assert not value or value in CHOICES[field], row
            named += 1
    assert named > 40
    for flag, field in (("roi_method", "tcam.seeds.region"), ("max_p", "tcam.seeds.rule")):
        assert re.search(rf"^\| .*--sl_tc_{flag}`.* \| `{re.escape(field)}`", table, re.MULTILINE)


def test_the_example_of_an_experiment_is_valid(tmp_path, monkeypatch):
    monkeypatch.delitem(sys.modules, "my_experiment", raising=False)
    config = load("config.md", "my_experiment.py", tmp_path).get_config()
    validate(config)
    assert config.tcam.window.n == 2 != defaults.get_config().tcam.window.n
