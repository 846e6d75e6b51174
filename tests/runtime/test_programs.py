"""What is kept of compiled programs, after whatever befell the files."""

import errno
import os
import warnings
import zlib

import jax
import jax.numpy as jnp
import pytest
from jax.experimental.compilation_cache import compilation_cache

from tcam_jax.runtime import programs
from tcam_jax.runtime.log import log

VALUE = zlib.compress(bytes(range(256)) * 40)


@pytest.fixture
def warned(monkeypatch):
    said = []
    monkeypatch.setattr(log, "warning", lambda text, *values: said.append(text % values))
    return said


@pytest.fixture
def kept(tmp_path, monkeypatch):
    """JAX as it keeps every program in a folder, in its own way; it knows none at first."""
    monkeypatch.setattr(programs.compilation_cache, "get_file_cache", programs._jax_opens)
    values = {
        "jax_compilation_cache_dir": str(tmp_path),
        "jax_enable_compilation_cache": True,
        "jax_persistent_cache_min_compile_time_secs": 0.0,
        "jax_persistent_cache_min_entry_size_bytes": -1,
    }
    before = {name: getattr(jax.config, name) for name in values}
    for name, value in values.items():
        jax.config.update(name, value)
    compilation_cache.reset_cache()
    yield tmp_path
    for name, value in before.items():
        jax.config.update(name, value)
    compilation_cache.reset_cache()


def compiled_anew() -> bool:
    """Compile a program as a new process would; whether it was in no cache."""
    compilation_cache.reset_cache()
    events = []
    jax.monitoring.register_event_listener(lambda name, **_: events.append(name))
    try:
        program = jax.jit(lambda x: x * 3 + 1)  # a new function each time
        assert program(jnp.ones(3)).tolist() == [4, 4, 4]
    finally:
        jax.monitoring.clear_event_listeners()
    return "/jax/compilation_cache/cache_misses" in events


def flipped(path):
    data = bytearray(path.read_bytes())
    data[len(data) // 3] ^= 4
    path.write_bytes(data)


def unreadable(path):  # to root too
    path.unlink()
    path.symlink_to(path.name)


DAMAGE = {
    "empty": lambda path: path.write_bytes(b""),
    "cut": lambda path: path.write_bytes(path.read_bytes()[:-100]),
    "cut_in_the_digest": lambda path: path.write_bytes(path.read_bytes()[:-50]),
    "of_another": lambda path: path.write_bytes(b"\x78" + path.read_bytes()),
    "zeros": lambda path: path.write_bytes(bytes(path.stat().st_size)),
    "flipped": flipped,
    "unreadable": unreadable,
}


def test_jax_compiles_once_what_was_damaged(kept, warned):
    programs.check_entries()
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # JAX's, of entries that it cannot read
        assert compiled_anew() and not compiled_anew()
        written = sorted(kept.glob("*-cache"))
        assert written and all(programs._MARK in path.read_bytes()[-40:] for path in written)
        for damage in DAMAGE.values():
            for path in written:
                damage(path)
            warned.clear()
            assert compiled_anew() and not compiled_anew()
            assert len(warned) == 1 and "is compiled again" in warned[0]
        assert sorted(kept.iterdir()) == written


def test_jax_takes_our_entries_and_we_take_its(kept, warned):
    assert compiled_anew()
    programs.check_entries()
    assert not compiled_anew()
    for path in kept.iterdir():
        path.unlink()
    assert compiled_anew()
    programs.compilation_cache.get_file_cache = programs._jax_opens
    assert not compiled_anew() and not warned


@pytest.mark.parametrize("damage", ["cut", "flipped", "zeros"])
def test_an_entry_of_jax_alone_is_checked_too(tmp_path, warned, damage):
    path = tmp_path / "a-cache"
    path.write_bytes(VALUE)
    store = programs.Programs(tmp_path)
    assert store.get("a") == VALUE and store.get("b") is None
    DAMAGE[damage](path)
    assert store.get("a") is None and not path.exists() and len(warned) == 1


def test_what_jax_is_to_do_itself_is_left_to_it(kept, monkeypatch):
    programs.check_entries()
    opened = []
    monkeypatch.setattr(programs, "_jax_opens", opened.append)
    programs.compilation_cache.get_file_cache("gs://bucket/programs")
    for setting, value in {
        "compilation_cache_max_size": 10**9,
        "compilation_cache_check_contents": True,
    }.items():
        before = getattr(jax.config, f"jax_{setting}")
        jax.config.update(f"jax_{setting}", value)
        programs.compilation_cache.get_file_cache(str(kept))
        jax.config.update(f"jax_{setting}", before)
    assert opened == ["gs://bucket/programs", str(kept), str(kept)]


def full(*_):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.mark.parametrize("when", ["full", "deleted", "a_file", "a_folder_there"])
def test_what_cannot_be_kept_is_said_once(tmp_path, monkeypatch, warned, when):
    folder = tmp_path / "kept"
    store = programs.Programs(folder)
    store.put("a", VALUE)
    if when == "full":  # as it shows on some disks: when all is written
        monkeypatch.setattr(type(folder), "replace", full)
    elif when == "a_folder_there":
        (folder / "b-cache").mkdir()
    else:
        (folder / "a-cache").unlink()
        folder.rmdir()
        if when == "a_file":
            folder.touch()
            store = programs.Programs(folder)
    store.put("b", VALUE)
    store.put("b", VALUE)
    assert len(warned) == 1 and "cannot be kept" in warned[0] and str(folder) in warned[0]
    if when in ("full", "a_folder_there"):
        assert store.get("a") == VALUE
        assert not list(folder.glob(".*"))


def test_an_entry_is_replaced_whole_while_another_process_reads_and_writes(tmp_path, monkeypatch):
    ours, theirs = programs.Programs(tmp_path), programs.Programs(tmp_path)
    ours.put("a", VALUE)
    new = zlib.compress(b"another")
    replace = type(tmp_path).replace

    def interrupted(path, target):
        monkeypatch.setattr(type(tmp_path), "replace", replace)
        assert theirs.get("a") == VALUE  # all is written, and not yet there
        theirs.put("a", VALUE)
        return replace(path, target)

    monkeypatch.setattr(type(tmp_path), "replace", interrupted)
    ours.put("a", new)
    assert theirs.get("a") == new
    assert [path.name for path in tmp_path.iterdir()] == ["a-cache"]


def test_what_a_killed_process_left_goes_after_a_while(tmp_path):
    for name in (".old.tmp", ".new.tmp"):
        (tmp_path / name).touch()
    os.utime(tmp_path / ".old.tmp", (0, 0))
    programs.Programs(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [".new.tmp"]


def modes(folder):
    return [oct(part.stat().st_mode & 0o777) for part in (folder.parent, folder)]


def test_the_folder_is_made_private_or_is_not_used(tmp_path, monkeypatch):
    folder = tmp_path / "tcam_jax" / "cpu"
    mask = os.umask(0)
    try:
        assert programs.private_folder(folder) is None
    finally:
        os.umask(mask)
    assert modes(folder) == ["0o700", "0o700"]
    for part in (folder.parent, folder):
        part.chmod(0o755)  # as it was made by earlier versions: only read
    assert programs.private_folder(folder) is None and modes(folder) == ["0o700", "0o700"]
    for part in (folder.parent, folder):
        for mode in (0o770, 0o702):
            part.chmod(mode)
            assert str(part) in programs.private_folder(folder)
            assert part.stat().st_mode & 0o777 == mode  # nothing was changed
        part.chmod(0o700)
    folder.rmdir()
    folder.touch()
    assert str(folder) in programs.private_folder(folder)
    monkeypatch.setattr(os, "geteuid", lambda: 12345)
    assert "belongs to another user" in programs.private_folder(folder)
