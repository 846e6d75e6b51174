"""Weights: files of other libraries in, ours out."""
