"""`moving_photos`: cut-outs of photographs, moved over photographs: its files and frames."""
