"""Processes that were not started alike are refused, with what differs."""

import jax
import pytest

from tcam_jax.config import defaults
from tcam_jax.runs import same_start
from tcam_jax.runs.same_start import check_same_config, check_same_data
from tcam_jax.runtime import processes
from tcam_jax.runtime.errors import InputError
from tests.runs.test_identity import changed


def _change(config, field, value):
    *sections, name = field.split(".")
    for section in sections:
        config = config[section]
    config[name] = value


@pytest.fixture
def started(monkeypatch):
    """Return a function: the facts of processes started with such changes of a config."""

    def facts(*changes):
        found = []
        with monkeypatch.context() as patch:
            patch.setattr(jax, "process_count", lambda: len(changes))
            patch.setattr(processes, "gather", lambda here: [found.append(here) or here])
            for changed in changes:
                config = defaults.get_config()
                for field, value in changed.items():
                    _change(config, field, value)
                check_same_config(config)
        return found

    return facts


def _check(monkeypatch, of_all):
    with monkeypatch.context() as patch:
        patch.setattr(jax, "process_count", lambda: len(of_all))
        patch.setattr(processes, "gather", lambda _: of_all)
        check_same_config(defaults.get_config())


def test_another_config_is_refused_by_its_fields(started, monkeypatch):
    other = {"seed": 1, "classifier.optimizer.learning_rate": 0.5, "dataset.data_dir": "there"}
    of_all = started({}, {}, other)
    rate = defaults.get_config().classifier.optimizer.learning_rate
    with pytest.raises(InputError) as raised:
        _check(monkeypatch, of_all)
    assert str(raised.value).splitlines()[1:-1] == [
        f"  config.classifier.optimizer.learning_rate: {rate} in process 0, 0.5 in process 2",
        "  config.seed: 0 in process 0, 1 in process 2",
    ]


def test_places_may_differ(started, monkeypatch):
    places = {"dataset.data_dir": "a", "dataset.manual_dir": "b", "tcam.seed_dir": "c"}
    _check(monkeypatch, started({}, places))


@pytest.mark.parametrize("fact", ["jax", "git revision", "JAX_ENABLE_X64"])
def test_other_code_packages_or_precision_are_refused(started, monkeypatch, fact):
    of_all = started({}, {})
    del of_all[1][fact]
    with pytest.raises(InputError, match=rf"{fact}: .* in process 0, \(absent\) in process 1"):
        _check(monkeypatch, of_all)


def test_other_data_are_refused_but_not_other_places(monkeypatch):
    monkeypatch.setattr(jax, "process_count", lambda: 2)
    of_all = []
    monkeypatch.setattr(processes, "gather", lambda here: of_all.append(here) or of_all)
    data = changed(origin=lambda: {"folder": "here"}), changed(origin=lambda: {"folder": "there"})
    for each in data:
        check_same_data(defaults.get_config(), each)
    with pytest.raises(InputError, match=r"  classes: .*\n  test: .* in process 2"):
        check_same_data(defaults.get_config(), changed(class_names=("a", "c"), ids=["x", "y"]))


def test_one_process_asks_nothing(monkeypatch):
    monkeypatch.setattr(same_start, "_refuse_differences", pytest.fail)
    check_same_config(defaults.get_config())
