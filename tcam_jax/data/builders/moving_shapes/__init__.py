"""`moving_shapes`, the embedded dataset: scenes, their drawing, their frames, the builder."""
