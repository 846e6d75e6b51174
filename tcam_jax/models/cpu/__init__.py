"""What is computed otherwise on a CPU, and only there."""
