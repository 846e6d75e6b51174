"""From maps to boxes, CorLoc and classification metrics, under named protocols."""
