"""One file = one experiment: what it changes of the fields in `tcam_jax.config.defaults`."""
