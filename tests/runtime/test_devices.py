"""Where compiled programs are kept."""

import socket

import jax
import pytest

from tcam_jax.runtime.devices import keep_programs


@pytest.fixture
def cache_dir(monkeypatch, tmp_path):
    """Set JAX's folder for one test."""
    names = ("jax_compilation_cache_dir", "jax_persistent_cache_min_compile_time_secs")
    before = {name: getattr(jax.config, name) for name in names}
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    yield lambda folder: jax.config.update("jax_compilation_cache_dir", folder)
    for name, value in before.items():
        jax.config.update(name, value)


def test_a_folder_of_this_host_unless_one_is_configured(cache_dir, tmp_path):
    cache_dir(None)
    keep_programs()
    kept = jax.config.jax_compilation_cache_dir
    assert kept == str(tmp_path / "tcam_jax" / f"cpu-{socket.gethostname()}")
    cache_dir("elsewhere")
    keep_programs()
    assert jax.config.jax_compilation_cache_dir == "elsewhere"


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
