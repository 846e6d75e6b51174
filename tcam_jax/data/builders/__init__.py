"""TFDS builders: every dataset becomes the same records, one frame each, shots contiguous."""
