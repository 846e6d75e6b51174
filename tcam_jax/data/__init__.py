"""From files to batches: TFDS builders, the shot table, the tf.data pipeline of shot windows."""
