"""Frames of any file in, boxes out: predictor, sources, overlays, videos, exported model."""
