"""A workdir put to use: train and evaluate, evaluate again, load, hand weights in and out."""
