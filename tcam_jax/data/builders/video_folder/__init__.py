"""`video_folder`, a user's own videos: their files, their boxes, their splits, the builder."""
