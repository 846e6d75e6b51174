"""Seed maps from text: what CLIP and CLIPSeg, of the user's own weights, show of a class's name."""
