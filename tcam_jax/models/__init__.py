"""Flax linen modules: ResNet encoder, classification head, U-Net decoder, the TCAM network."""
