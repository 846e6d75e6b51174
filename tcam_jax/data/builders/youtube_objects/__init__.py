"""`youtube_objects`: the raw downloads of both versions, their annotations, their splits."""
