"""Commands killed, stopped and cut off at random: see `__main__`."""
