import pytest

from tcam_jax.benchmark import crf_kernels


@pytest.fixture(autouse=True)
def small(monkeypatch):
    monkeypatch.setattr(crf_kernels, "SIZE", 32)
    monkeypatch.setattr(crf_kernels, "SIGMAS", {"sigma_rgb": 15.0, "sigma_xy": 14.0})
    monkeypatch.setattr(crf_kernels, "PHOTOGRAPHS", ("astronaut",))


def test_errors_of_every_way_on_every_map():
    rows = [row for row in crf_kernels.errors() if row["backend"] != "pydensecrf"]
    assert len(rows) == 3 * len(crf_kernels.WAYS)
    for row in rows:
        for name in ("loss", "gradient", "logit_gradient"):
            assert 0 < row[name] < 6, row  # percent; 0 would mean that it was compared with itself


@pytest.mark.slow
def test_speed_of_every_way():
    rows = crf_kernels.speed((1, 2), rounds=1)
    ways = {(row["batch"], row["backend"], row["accuracy"]) for row in rows}
    assert {(batch, *way) for batch in (1, 2) for way in crf_kernels.WAYS} <= ways
    assert (1, "exact", "default") in ways
    assert all(row["ms_per_image"] > 0 for row in rows)


def test_the_lattice_is_the_kernel_up_to_its_known_factor():
    pytest.importorskip("pydensecrf", reason="an optional comparison: pip install pydensecrf2")
    rows = [row for row in crf_kernels.errors() if row["backend"] == "pydensecrf"]
    assert len(rows) == 3
    for row in rows:
        assert 1.3 < row["factor"] < 2.2  # the reference's filter returns about 0.6 of the kernel
        assert row["logit_gradient"] < 40
