"""Thin entry points: they parse the command line and call the library."""
