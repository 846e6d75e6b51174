"""Flax linen modules: encoders, classification heads, U-Net decoder, the TCAM network."""
