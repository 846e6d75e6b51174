"""Encoders: normalised frames in, features of every stage out."""
