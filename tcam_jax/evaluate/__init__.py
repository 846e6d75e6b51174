"""From maps to boxes, CorLoc and classification metrics, evaluation, prediction, overlays."""
