"""Predictions as files of other programs: one module a format, all made from the same records."""
