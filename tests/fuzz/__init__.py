"""Inputs that hypothesis makes up: each gives the right result or one `InputError`.

    python -m pytest tests/fuzz                                       # few, the same every time
    python -m pytest tests/fuzz --fuzz_examples=5000 --hypothesis-show-statistics

The second draws other examples at every call; the statistics count how many were used and how many
were refused.
"""
