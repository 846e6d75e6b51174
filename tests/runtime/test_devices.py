"""Where compiled programs are kept."""

import os
import socket

import jax
import pytest

from tcam_jax.runtime import devices
from tcam_jax.runtime.devices import keep_programs
from tcam_jax.runtime.log import log


@pytest.fixture
def cache_dir(monkeypatch, tmp_path):
    """Set JAX's folder for one test."""
    names = ("jax_compilation_cache_dir", "jax_persistent_cache_min_compile_time_secs")
    before = {name: getattr(jax.config, name) for name in names}
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    programs = devices.programs.compilation_cache
    monkeypatch.setattr(programs, "get_file_cache", programs.get_file_cache)
    yield lambda folder: jax.config.update("jax_compilation_cache_dir", folder)
    for name, value in before.items():
        jax.config.update(name, value)
    devices._not_kept.cache_clear()


def test_a_folder_of_this_host_unless_one_is_configured(cache_dir, tmp_path):
    cache_dir(None)
    keep_programs()
    kept = jax.config.jax_compilation_cache_dir
    assert kept == str(tmp_path / "tcam_jax" / f"cpu-{socket.gethostname()}")
    cache_dir("elsewhere")
    keep_programs()
    assert jax.config.jax_compilation_cache_dir == "elsewhere"


def test_a_named_folder_stays_as_it_is(cache_dir, tmp_path):
    tmp_path.chmod(0o775)
    cache_dir(str(tmp_path))
    keep_programs()
    assert tmp_path.stat().st_mode & 0o777 == 0o775
    assert jax.config.jax_compilation_cache_dir == str(tmp_path)


@pytest.mark.parametrize("wrong", ["open", "a file", "no home"])
def test_without_a_private_folder_no_program_is_kept(cache_dir, monkeypatch, tmp_path, wrong):
    if wrong == "open":
        (tmp_path / "tcam_jax").mkdir()
        (tmp_path / "tcam_jax").chmod(0o777)
    elif wrong == "a file":
        (tmp_path / "tcam_jax").touch()
    else:  # a container's user that no list has
        for name in ("XDG_CACHE_HOME", "HOME"):
            monkeypatch.delenv(name)
        monkeypatch.setattr(os, "getuid", lambda: 12345)
    said = []
    monkeypatch.setattr(log, "warning", lambda text, *values: said.append(text % values))
    cache_dir(None)
    keep_programs()
    keep_programs()
    assert jax.config.jax_compilation_cache_dir is None
    assert len(said) == 1 and "JAX_COMPILATION_CACHE_DIR" in said[0]


@pytest.mark.parametrize(("asked", "least"), [(None, 0.0), ("2", 1.0)])
def test_small_programs_are_kept_too_unless_told_otherwise(cache_dir, monkeypatch, asked, least):
    name = "jax_persistent_cache_min_compile_time_secs"
    monkeypatch.delenv(name.upper(), raising=False)
    if asked is not None:
        monkeypatch.setenv(name.upper(), asked)
    cache_dir(None)
    jax.config.update(name, 1.0)  # as JAX has it; it has read the environment before
    keep_programs()
    assert getattr(jax.config, name) == least
