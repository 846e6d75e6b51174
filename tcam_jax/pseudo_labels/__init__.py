"""From a temporal CAM to sparse foreground/background labels: Otsu, ROI, sampling, dilation."""
