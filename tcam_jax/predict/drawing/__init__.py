"""Pictures and videos of predictions: fonts, labels, lines, layers, names, H.264."""
