"""What a record of every prepared dataset holds."""

from collections.abc import Sequence

import numpy as np
import tensorflow_datasets as tfds


def frame_features(class_names: Sequence[str]) -> tfds.features.FeaturesDict:
    """Return TFDS's description of it; `data.described_classes` asks for these names again."""
    return tfds.features.FeaturesDict(
        {
            "image": tfds.features.Image(shape=(None, None, 3), encoding_format="jpeg"),
            "label": tfds.features.ClassLabel(names=list(class_names)),
            "frame_id": tfds.features.Text(),
            "video": tfds.features.Text(),
            "shot": tfds.features.Text(),
            "index_in_shot": np.int32,
            "width": np.int32,
            "height": np.int32,
            "boxes": tfds.features.Sequence(tfds.features.Tensor(shape=(4,), dtype=np.float32)),
        }
    )
