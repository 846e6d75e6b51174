"""docs/recipes: its programs run, its published numbers are those of the reports."""

import csv
import re
from pathlib import Path

import pytest

from tcam_jax.config.recipes import RECIPES
from tcam_jax.config.rules import validate
from tcam_jax.report import published
from tests.docs.fenced import load

PAGES = Path(__file__).parents[2] / "docs/recipes"
TABLE = Path(published.__file__).with_name("youtube_objects.csv")


def test_a_recipe_of_ones_own(tmp_path, monkeypatch):
    monkeypatch.setattr("tcam_jax.config.recipes.RECIPES", dict(RECIPES))
    config = load("recipes/index.md", "my_recipe.py", tmp_path).get_config("mine")
    validate(config)
    window, seeds = config.tcam.window, config.tcam.seeds
    assert (window.n, window.mode, window.cam_tmp) == (4, "before_after", True)
    assert (config.dataset.config, seeds.fg_pixels, seeds.bg_pixels) == ("mine", 8, 1)


def test_what_a_recipe_changes_is_shown(capsys):
    (program,) = re.findall(r"^```python\n(.*?)^```", (PAGES / "index.md").read_text(), re.M | re.S)
    exec(program, {})
    assert "'tcam.losses.joint_color_crf.weight': 9.0" in capsys.readouterr().out


@pytest.mark.parametrize(("page", "method"), [("tcam", "TCAM"), ("colo_cam", "CoLo-CAM")])
def test_published_numbers_are_those_of_the_reports(page, method):
    with TABLE.open() as file:
        rows = {row["version"]: row for row in csv.DictReader(file) if row["method"] == method}
    text = (PAGES / f"{page}.md").read_text()
    for version in ("v1.0", "v2.2"):
        first = list(rows[version]).index("aeroplane")
        numbers = list(rows[version].values())[first : first + 11]
        assert f"| {version} | {' | '.join(numbers)} |" in text
    means = f"{rows['v1.0']['mean']} / {rows['v2.2']['mean']}"
    row = rf"^\| \[`{page}`\].* \| {means} \|$"
    assert re.search(row, (PAGES / "index.md").read_text(), re.M)


def test_every_recipe_of_configs_has_its_page():
    files = {path.name for path in (PAGES.parents[1] / "configs/recipes").glob("[!_]*.py")}
    assert files
    for name in files:
        assert (PAGES / name).with_suffix(".md").is_file(), name
