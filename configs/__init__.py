"""One file = one experiment. Every field is in `base.py`; an experiment changes what it needs."""
