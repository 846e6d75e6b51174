"""Class activation maps as pure functions, their normalisation, and CAM-TMP."""
