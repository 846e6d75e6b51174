"""Code that the manual shows, as a reader would copy it: into a file of the name above it."""

import importlib.util
import re
import sys
from pathlib import Path
from types import ModuleType

DOCS = Path(__file__).parents[2] / "docs"


def code(page: str, title: str) -> str:
    """Return the one block of a page that begins with ```python title="TITLE"."""
    fence = rf'^```python title="{re.escape(title)}"\n(.*?)^```$'
    (found,) = re.findall(fence, (DOCS / page).read_text(), re.MULTILINE | re.DOTALL)
    return found


def load(page: str, title: str, folder: Path) -> ModuleType:
    """Write that block to a file of its title in `folder`, and import it under its name."""
    path = folder / title
    path.write_text(code(page, title))
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = sys.modules[path.stem] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
