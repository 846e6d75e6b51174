"""State, optimiser, the pure training steps, devices, checkpoints and the loop."""
