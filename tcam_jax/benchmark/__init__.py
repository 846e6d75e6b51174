"""Measurements, side by side with other tools. PyTorch is imported here only."""
