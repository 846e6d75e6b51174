"""Measurements, side by side with other tools, on Linux. PyTorch is imported here only.

Not part of the wheel: memory in use is read from /proc, and the commands are those of a checkout,
`python -m launch.benchmark` and its neighbours.
"""
