"""A hook of MkDocs: shows docs/quickstart.ipynb, with the outputs stored in it, as a page.

Markdown and fenced code are all that it takes; the plugins that do it bring Jupyter along.
"""

import json
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

NOTEBOOK = Path(__file__).with_name("quickstart.ipynb")
PICTURES = ("image/jpeg", "image/png")


PAGE = NOTEBOOK.with_suffix(".md").name


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the page beside the file itself, which is there to be downloaded."""
    files.append(File.generated(config, PAGE, content=as_markdown(NOTEBOOK)))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Let other pages, which read well without MkDocs too, lead to the page."""
    if page.file.src_uri == PAGE:
        return markdown
    return markdown.replace(f"({NOTEBOOK.name})", f"({PAGE})")


def as_markdown(path: Path) -> str:
    """Return a notebook's cells, each with its outputs after it, as Markdown."""
    first, *cells = json.loads(path.read_text())["cells"]
    parts = ["".join(first["source"]), f"[The notebook itself]({path.name})"]
    for cell in cells:
        source = "".join(cell["source"])
        if cell["cell_type"] == "markdown":
            parts.append(source)
        else:
            parts.append(_fenced(source, "python"))
            parts += (_shown(output) for output in cell["outputs"])
    return "\n\n".join(parts) + "\n"


def _shown(output: dict[str, Any]) -> str:
    if "text" in output:  # of a stream
        return _fenced("".join(output["text"]), "text")
    data = output["data"]
    for kind in PICTURES:
        if kind in data:
            content = "".join(data[kind]).replace("\n", "")
            return f'<img src="data:{kind};base64,{content}" alt="What the cell above shows">'
    if "text/html" in data:
        return "".join(data["text/html"])
    return _fenced("".join(data["text/plain"]), "text")


def _fenced(text: str, language: str) -> str:
    return f"```{language}\n{text.rstrip()}\n```"
