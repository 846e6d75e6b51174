"""Reads a run's files and makes tables, figures and overlays."""
