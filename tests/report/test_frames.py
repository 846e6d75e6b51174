"""Maps of stored frames for pictures: those of the network, with each frame's motion."""

import jax
import numpy as np
from PIL import Image

from configs import demo
from tcam_jax.data.frame_motion import motion_of_records
from tcam_jax.data.records import open_split
from tcam_jax.evaluate.maps import make_forward
from tcam_jax.models.tcam import init_variables
from tcam_jax.report.frames import Maps, read_images
from tcam_jax.runtime.parallel import Parallel
from tcam_jax.train.stages import make_model

SIZE, RECORDS = 32, [2, 0, 1]


def test_each_frame_is_shown_with_its_own_motion(shapes_data):
    split = open_split(shapes_data, "moving_shapes", "default", "train")
    config = demo.get_config()
    config.dataset.resize = config.dataset.crop = SIZE
    config.model.encoder = "resnet10"
    config.model.decoder_width, config.eval.batch_size = 0.25, 2
    model = make_model(config, len(split.class_names))
    variables = init_variables(model, jax.random.key(0), SIZE)
    methods = ("tcam_motion", "layercam")
    maps = Maps(
        model, dict.fromkeys(methods, variables), config, Parallel("jit", jax.devices()[:1])
    )
    shown = read_images(split, RECORDS)
    found = maps(shown, [0, 1, 2])

    def read(record):
        image = Image.fromarray(split.read_image(record))
        return np.asarray(image.resize((SIZE, SIZE), Image.Resampling.BILINEAR))

    motion = motion_of_records(split.table, np.array(RECORDS), SIZE, read)
    assert motion.any()
    expected = make_forward(model, methods)(
        variables, np.stack([read(record) for record in RECORDS]), np.arange(3), motion
    ).maps
    for number, of_frame in enumerate(found):
        for method, u8 in zip(methods, expected, strict=True):
            apart = np.abs(of_frame[method].astype(int) - np.asarray(u8[number], int))
            assert apart.max() <= 1, method
