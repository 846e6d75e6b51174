"""Where compiled programs are kept."""

import socket

import jax
import pytest

from tcam_jax.runtime.devices import keep_programs


@pytest.fixture
def cache_dir(monkeypatch, tmp_path):
    """Set JAX's folder for one test."""
    before = jax.config.jax_compilation_cache_dir
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    yield lambda folder: jax.config.update("jax_compilation_cache_dir", folder)
    jax.config.update("jax_compilation_cache_dir", before)


def test_a_folder_of_this_host_unless_one_is_configured(cache_dir, tmp_path):
    cache_dir(None)
    keep_programs()
    kept = jax.config.jax_compilation_cache_dir
    assert kept == str(tmp_path / "tcam_jax" / f"cpu-{socket.gethostname()}")
    cache_dir("elsewhere")
    keep_programs()
    assert jax.config.jax_compilation_cache_dir == "elsewhere"
