"""How far the CRF's kernel evaluations are from the exact one, and how long they take.

Beside them, where it is installed (`pip install pydensecrf2`, compiled from source), the
permutohedral lattice in C++ that fully-connected CRFs of the field are built on, and that the
authors' own filter descends from.
"""

import statistics
import time
from collections.abc import Callable
from functools import partial
from types import ModuleType

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from PIL import Image
from skimage import data

from tcam_jax.losses.crf import crf
from tcam_jax.losses.inputs import LossInputs
from tcam_jax.losses.kernels.energy import Kernel, pairwise_energy

SIZE = 224
SIGMAS = {"sigma_rgb": 15.0, "sigma_xy": 100.0}
PHOTOGRAPHS = (
    "astronaut",
    "chelsea",
    "coffee",
    "hubble_deep_field",
    "immunohistochemistry",
    "retina",
    "rocket",
)
WAYS = (
    ("grid", "default"),
    ("grid", "fine"),
    ("grid_matmul", "default"),
    ("grid_matmul", "fine"),
)
_LATTICE_WEIGHT = 1e-4  # small, so that one step of inference is linear in the filter
Row = dict[str, str | int | float]
Sample = tuple[Float[Array, "h w 3"], Float[Array, "h w"]]


def photograph(name: str) -> Float[Array, "h w 3"]:
    """Return a photograph of scikit-image, 224 x 224, 0..255."""
    picture = Image.fromarray(getattr(data, name)()).convert("RGB").resize((SIZE, SIZE))
    return jnp.asarray(np.asarray(picture), jnp.float32)


def maps_for(image: Float[Array, "h w 3"], seed: int) -> dict[str, Float[Array, "h w"]]:
    """Return differences S0 - S1 of three kinds: smooth, following the image, and random."""
    rng = np.random.default_rng(seed)
    coarse = jnp.asarray(rng.normal(0, 2, (7, 7)), jnp.float32)
    grey = image.mean(axis=-1)
    noise = jnp.asarray(rng.normal(0, 0.3, grey.shape), jnp.float32)
    return {
        "smooth": jnp.tanh(jax.image.resize(coarse, grey.shape, "cubic")),
        "follows the image": jnp.tanh((grey - grey.mean()) / 25 + noise),
        "random": jnp.asarray(rng.uniform(-1, 1, grey.shape), jnp.float32),
    }


def errors() -> list[Row]:
    """Return one row for each photograph, map and evaluation; errors in percent.

    `loss`: of the value. `gradient`: of the derivative for the probabilities, both classes
    together, `-2 A S`. `logit_gradient`: of `S0 S1 A d`, what reaches the logits (times 4).
    """
    rows = []
    exact = _filters("exact", "default")
    others = {way: _filters(*way) for way in WAYS}
    for number, name in enumerate(PHOTOGRAPHS):
        image = photograph(name)
        ones = jnp.ones((SIZE, SIZE))
        _, exact_ones = exact(image, ones)
        of_ones = {way: apply(image, ones)[1] for way, apply in others.items()}
        for kind, difference in maps_for(image, number).items():
            energy, filtered = exact(image, difference)
            slope = 1 - difference**2
            for (backend, accuracy), apply in others.items():
                its_energy, its_filtered = apply(image, difference)
                its_ones = of_ones[backend, accuracy]
                rows.append(
                    {
                        "photograph": name,
                        "map": kind,
                        "backend": backend,
                        "accuracy": accuracy,
                        "loss": 100 * abs(float(its_energy / energy) - 1),
                        "gradient": _distance(
                            _of_classes(its_ones, its_filtered), _of_classes(exact_ones, filtered)
                        ),
                        "logit_gradient": _distance(slope * its_filtered, slope * filtered),
                    }
                )
            lattice = _lattice_filter(image, difference)
            if lattice is not None:
                expected = slope * filtered
                reached = slope * lattice
                scale = float(jnp.vdot(reached, expected) / jnp.vdot(reached, reached))
                rows.append(
                    {
                        "photograph": name,
                        "map": kind,
                        "backend": "pydensecrf",
                        "accuracy": "times its best factor",
                        "factor": scale,
                        "logit_gradient": _distance(scale * reached, expected),
                    }
                )
    return rows


def _filters(backend: str, accuracy: str) -> Callable[..., tuple[Array, Array]]:
    kernel = Kernel(SIGMAS["sigma_rgb"], SIGMAS["sigma_xy"], backend, accuracy)

    @jax.jit
    def apply(image: Array, difference: Array) -> tuple[Array, Array]:
        energy = partial(pairwise_energy, image, jnp.ones_like(difference), kernel=kernel)
        value, gradient = jax.value_and_grad(lambda d: energy(difference=d))(difference)
        return value, -gradient

    return apply


def _of_classes(ones: Array, difference: Array) -> Array:
    """A S for both classes, from A 1 and A (S0 - S1)."""
    return jnp.stack([ones + difference, ones - difference]) / 2


def _distance(actual: Array, expected: Array) -> float:
    return 100 * float(jnp.linalg.norm((actual - expected).ravel()) / jnp.linalg.norm(expected))


def speed(batches: tuple[int, ...], rounds: int) -> list[Row]:
    """Return ms per image of the loss with its gradient for the logits, medians of rounds.

    The ways take turns in each round; `ratio` is the median over the rounds of a way's time to
    that of pydensecrf, where it is installed (one thread, one filtering of both classes).
    """
    rows = []
    for batch in batches:
        ways = {way: _step(*way, batch) for way in WAYS}
        if batch == 1:
            ways["exact", "default"] = _step("exact", "default", 1)
        if _pydensecrf() is not None:
            ways["pydensecrf", ""] = _lattice_step(batch)
        seconds: dict[tuple[str, str], list[float]] = {way: [] for way in ways}
        for number in range(rounds + 1):
            for way, run in ways.items():
                start = time.perf_counter()
                run()
                if number > 0:  # the first round compiles
                    seconds[way].append((time.perf_counter() - start) / batch)
        for way, times in seconds.items():
            row: Row = {"batch": batch, "backend": way[0], "accuracy": way[1]}
            row["ms_per_image"] = 1e3 * statistics.median(times)
            if ("pydensecrf", "") in seconds:
                pairs = zip(times, seconds["pydensecrf", ""], strict=True)
                row["ratio"] = statistics.median(a / b for a, b in pairs)
            rows.append(row)
    return rows


def _samples(batch: int) -> list[Sample]:
    images = [photograph(PHOTOGRAPHS[i % len(PHOTOGRAPHS)]) for i in range(batch)]
    return [(image, maps_for(image, i)["smooth"]) for i, image in enumerate(images)]


def _step(backend: str, accuracy: str, batch: int) -> Callable[[], None]:
    images, differences = (jnp.stack(parts) for parts in zip(*_samples(batch), strict=True))
    half = jnp.arctanh(jnp.clip(differences, -0.999, 0.999))
    logits = jnp.stack([half, -half], axis=-1)
    inputs = LossInputs(logits, images, jnp.zeros(logits.shape[:-1], jnp.int32), jnp.ones(()))
    loss = partial(crf, backend=backend, accuracy=accuracy, **SIGMAS)
    compiled = jax.jit(
        jax.value_and_grad(lambda logits, inputs: loss(inputs._replace(map_logits=logits))[0])
    )
    return lambda: jax.block_until_ready(compiled(logits, inputs))


def _lattice_step(batch: int) -> Callable[[], None]:
    samples = [(np.asarray(image), np.asarray(d)) for image, d in _samples(batch)]

    def run() -> None:
        for image, difference in samples:
            _lattice_filter(image, difference)

    return run


def _pydensecrf() -> ModuleType | None:
    try:
        import pydensecrf.densecrf
    except ImportError:
        return None
    return pydensecrf.densecrf


def _lattice_filter(image: Array | np.ndarray, difference: Array | np.ndarray) -> np.ndarray | None:
    """A d by pydensecrf's lattice, from one step of its inference; None without it."""
    densecrf = _pydensecrf()
    if densecrf is None:
        return None
    probabilities = np.stack([1 + np.asarray(difference), 1 - np.asarray(difference)])
    probabilities = np.clip(probabilities.reshape(2, -1) / 2, 1e-3, 1).astype(np.float32)
    y, x = np.mgrid[:SIZE, :SIZE].astype(np.float32) / SIGMAS["sigma_xy"]
    colours = np.moveaxis(np.asarray(image), -1, 0) / SIGMAS["sigma_rgb"]
    features = np.concatenate([[x], [y], colours]).reshape(5, -1)
    model = densecrf.DenseCRF(features.shape[1], 2)
    model.setUnaryEnergy(-np.log(probabilities))
    model.addPairwiseEnergy(
        np.ascontiguousarray(features, np.float32),
        compat=_LATTICE_WEIGHT,
        kernel=densecrf.DIAG_KERNEL,
        normalization=densecrf.NO_NORMALIZATION,
    )
    state = model.startInference()
    model.stepInference(*state)
    log_odds = np.log(np.asarray(state[0])) - np.log(probabilities)
    return ((log_odds[0] - log_odds[1]) / _LATTICE_WEIGHT).reshape(SIZE, SIZE)
