"""Experiments as data: every field with its default, what it may hold, the record in a workdir."""
