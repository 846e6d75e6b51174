"""tcam_jax: Temporal Class Activation Maps (TCAM, WACV 2023) in JAX/Flax.

model = tcam_jax.load(workdir)
predictions = model.predict(frames)
"""

__version__ = "0.1.0"


def __getattr__(name: str) -> object:
    # Lazily: importing the package should not import JAX before a program could configure it.
    if name == "load":
        from tcam_jax.runs.networks import load

        return load
    raise AttributeError(f"module 'tcam_jax' has no attribute {name!r}")
