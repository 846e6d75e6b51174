"""Writes docs/config.md, every field of a config, from tcam_jax/config/defaults.py:

    python docs/generate_config.py

Defaults are those of the config itself; meanings are the comments there, above a field or on its
line; what a field may be is also asked of `config.rules` and of the losses' annotations.
"""

import ast
import io
import re
import sys
import tokenize
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args, get_type_hints

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from ml_collections import ConfigDict  # noqa: E402

from tcam_jax.config import defaults  # noqa: E402
from tcam_jax.config.rules import CHOICES  # noqa: E402
from tcam_jax.losses.objective import LOSSES  # noqa: E402
from tcam_jax.losses.schedule import SCHEDULE  # noqa: E402

INTRODUCTION = """# Every field of a config

Set a field on the command line as `--config.FIELD=VALUE`, such as `--config.tcam.window.n=2`; a
name that does not exist, or a value of another type, is an error. Or write a config file of your
own. It starts from these defaults, the published hyper-parameters for YouTube-Objects v1.0:

```python title="my_experiment.py"
from ml_collections import ConfigDict

from tcam_jax.config import defaults


def get_config() -> ConfigDict:
    config = defaults.get_config()
    config.dataset.name = "moving_shapes"
    config.tcam.window.n = 2
    return config
```

```bash
tcam train --config=my_experiment.py --workdir=runs/mine
```

A run writes its whole config to `config.json` in its workdir.

*This page is generated from the comments in `tcam_jax/config/defaults.py`.*
"""
THE_RUN, LOSS, EVERY_LOSS = "The run", "tcam.losses", "Every loss"


def page() -> str:
    """Return the page."""
    texts = meanings(Path(defaults.__file__).read_text())
    of_every_loss = [
        _row(f"{LOSS}.NAME.{name}", value, texts[f"{LOSS}.*.{name}"])
        for name, value in SCHEDULE.items()
    ]
    sections: dict[str, list[str]] = {}
    for field, value in _fields(defaults.get_config(), list(texts)):
        section, meaning = _section(field), texts.get(field, "")
        if section == LOSS:
            sections.setdefault(EVERY_LOSS, of_every_loss)
            loss, name = field.removeprefix(f"{LOSS}.").split(".")
            if name == "weight":
                meaning = "; ".join(filter(None, (texts[f"{LOSS}.{loss}"], meaning)))
            elif name in SCHEDULE:
                if value == SCHEDULE[name]:
                    continue  # said once for all
                meaning = texts[f"{LOSS}.*.{name}"]
        sections.setdefault(section, []).append(_row(field, value, _with_choices(field, meaning)))
    head = "| field | default | meaning |\n| --- | --- | --- |\n"
    parts = [INTRODUCTION]
    for section, rows in sections.items():
        title = section if section in (THE_RUN, EVERY_LOSS) else f"`{section}`"
        about = _markdown(texts.get(section, ""))
        parts.append("\n\n".join(filter(None, (f"## {title}", about, head + "".join(rows)))))
    return "\n".join(parts)


def meanings(source: str) -> dict[str, str]:
    """Return {dotted field or section: its comments} of a file such as config/defaults.py.

    The comments in its function `loss` are found as those of "tcam.losses.*" too.
    """
    comments = _Comments(source)
    functions = {x.name: x for x in ast.parse(source).body if isinstance(x, ast.FunctionDef)}
    of_function = {name: comments.in_dicts_of(node) for name, node in functions.items()}
    found = {f"{LOSS}.*.{name}": text for name, text in of_function["loss"].items()}
    places = {}  # of the variables
    for statement in functions["get_config"].body:
        if not isinstance(statement, ast.Assign):
            continue
        field, call = "", statement.value
        for target in statement.targets:
            if isinstance(target, ast.Attribute):
                variable, _, rest = ast.unparse(target).partition(".")
                field = ".".join(filter(None, (places[variable], rest)))
            else:
                places[ast.unparse(target)] = field
        found[field] = comments.of(statement.lineno, statement.lineno)
        if isinstance(call, ast.Call):
            inside = {} if field.startswith(f"{LOSS}.") else of_function.get(_name(call), {})
            inside = inside | comments.in_dicts_of(call)
            for keyword in call.keywords:
                if keyword.lineno > statement.lineno:  # else the comment is the statement's
                    inside[keyword.arg] = comments.of(keyword.lineno, keyword.end_lineno)
            found |= {f"{field}.{name}": text for name, text in inside.items()}
    return found


class _Comments:
    """The comments of a source file by line."""

    def __init__(self, source: str):
        self._after, self._alone = {}, {}
        for token in tokenize.generate_tokens(io.StringIO(source).readline):
            if token.type == tokenize.COMMENT:
                alone = not token.line[: token.start[1]].strip()
                into = self._alone if alone else self._after
                into[token.start[0]] = token.string.removeprefix("#").strip()

    def of(self, first: int, last: int) -> str:
        """Return the comments right above line `first`, and the one after the code of `last`."""
        above = []
        while first - len(above) - 1 in self._alone:
            above.insert(0, self._alone[first - len(above) - 1])
        return " ".join(filter(None, (*above, self._after.get(last))))

    def in_dicts_of(self, node: ast.AST) -> dict[str, str]:
        """Return {key: its comments} of the dicts written inside `node`."""
        return {
            key.value: self.of(key.lineno, value.end_lineno)
            for inner in ast.walk(node)
            if isinstance(inner, ast.Dict)
            for key, value in zip(inner.keys, inner.values, strict=True)
            if key is not None  # **mapping
        }


def _name(call: ast.Call) -> str:
    return ast.unparse(call.func)


def _fields(config: ConfigDict, order: list[str]) -> list[tuple[str, Any]]:
    """Return (dotted name, value) of every field, those of `order` in that order."""

    def inside(part: ConfigDict, prefix: str) -> Iterator[tuple[str, Any]]:
        for name, value in part.items():
            if isinstance(value, ConfigDict) and len(value):
                yield from inside(value, f"{prefix}{name}.")
            else:
                yield prefix + name, value

    def place(item: tuple[str, Any]) -> int:
        field = item[0]
        return order.index(field if field in order else field.rpartition(".")[0])

    return sorted(inside(config, ""), key=place)


def _section(field: str) -> str:
    if field.startswith(f"{LOSS}."):
        return LOSS
    return field.split(".")[0] if "." in field else THE_RUN


def _with_choices(field: str, meaning: str) -> str:
    """Add what the field may be, where the comment does not say it."""
    choices = list(CHOICES.get(field, ()))
    if field.startswith(f"{LOSS}."):
        loss, parameter = field.removeprefix(f"{LOSS}.").split(".")
        choices = list(get_args(get_type_hints(LOSSES[loss]).get(parameter)))
    if all(re.search(rf"\b{choice}\b", meaning) for choice in choices):
        return meaning
    return f"{meaning}; one of {', '.join(f'`{choice}`' for choice in choices)}"


def _row(field: str, value: Any, meaning: str) -> str:
    default = "none" if isinstance(value, ConfigDict) else f"`{value!r}`"
    return f"| `{field}` | {default} | {_markdown(meaning)} |\n"


def _markdown(comment: str) -> str:
    linked = re.sub(r"\bdocs/((?:\w+/)*(\w+))\.md", r"[\2](\1.md)", comment)
    named = re.sub(r"(?<!`)\b[\w/]+\.py\b", r"`\g<0>`", linked)
    return named.replace("|", "\\|")


if __name__ == "__main__":
    (ROOT / "docs" / "config.md").write_text(page())
