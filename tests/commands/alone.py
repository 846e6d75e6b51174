"""A command's module and its flags, as if it were the only one of this process."""

import importlib.util
import sys
from functools import partial
from types import ModuleType

import pytest
from absl import flags
from ml_collections import config_flags

from tests.launch.conftest import ROOT


def load_alone(monkeypatch: pytest.MonkeyPatch, name: str) -> tuple[ModuleType, flags.FlagValues]:
    """Import `name`, such as "launch/baselines", anew; return it and the flags it defines."""
    values = flags.FlagValues()
    with monkeypatch.context() as patch:
        for define in [x for x in dir(flags) if x.startswith("DEFINE") and x != "DEFINE_flag"]:
            patch.setattr(flags, define, partial(getattr(flags, define), flag_values=values))
        define_config = partial(config_flags.DEFINE_config_file, flag_values=values)
        patch.setattr(config_flags, "DEFINE_config_file", define_config)
        spec = importlib.util.spec_from_file_location("one_command", ROOT / f"{name}.py")
        module = importlib.util.module_from_spec(spec)
        monkeypatch.setitem(sys.modules, "one_command", module)
        spec.loader.exec_module(module)
    return module, values
