"""One file per loss term, and the objective that combines them from the config."""
