"""Every field of a config with the published TCAM hyper-parameters (YouTube-Objects v1.0).

Not an experiment by itself: the files of `configs/`, and a user's own, start from it.
"""

from typing import Any

from ml_collections import ConfigDict
from ml_collections.config_dict import placeholder


def get_config() -> ConfigDict:
    """Return a new config that may be changed; `config.rules.validate` says what it may hold."""
    config = ConfigDict()
    config.seed = 0
    config.parallel = "pmap"  # pmap | shard_map | jit: how a step is spread over the devices
    # float32 | bfloat16 (activations; parameters are float32) | float64 (to compare numbers; needs
    # JAX_ENABLE_X64=1)
    config.precision = "float32"
    config.deterministic = False  # on GPUs: the same bits every time, for some speed

    config.dataset = dataset = ConfigDict()
    dataset.name = ""  # moving_shapes | video_folder | youtube_objects
    dataset.config = "default"  # builder config
    dataset.data_dir = "data"  # where prepared datasets live
    dataset.manual_dir = ""  # the user's own files, read by tcam prepare
    dataset.options = ConfigDict()  # further arguments of the dataset's builder
    dataset.resize = 256  # training frames are resized to this square, pixels …
    dataset.crop = 224  # … and cropped to this one; evaluation resizes straight to it

    config.model = ConfigDict()
    config.model.depth = 50  # ResNet 18 | 34 | 50 | 101
    config.model.strides = (1, 2, 1, 1)  # of the four stages; this gives output stride 8
    config.model.head = "wgap"  # wgap | gap | max | lse | wildcat | attention_mil
    config.model.head_options = ConfigDict()  # further attributes of it, see models/heads.py
    config.model.pretrained = ""  # a file or folder of weights, see README; "": from random ones

    # Stage 1: classifier. `optimizer` fields have the same meaning in both stages.
    config.classifier = classifier = ConfigDict()
    classifier.batch_size = 32
    classifier.epochs = 100
    classifier.accumulation = 1  # microbatches a step: less memory, other batch-norm statistics
    classifier.label_smoothing = 0.0  # share of the target spread over all classes
    classifier.optimizer = _optimizer(learning_rate=0.001)
    classifier.optimizer.new_layers_ratio = 10.0  # learning-rate factor of layer4 and the head

    # Stage 2: encoder and head frozen, decoder trained on seeds from temporal CAMs.
    config.tcam = tcam = ConfigDict()
    tcam.batch_size = 32
    tcam.epochs = 100
    tcam.accumulation = 1
    tcam.remat_decoder = False  # less memory: its activations are computed twice
    tcam.optimizer = _optimizer(learning_rate=0.01)
    tcam.window = ConfigDict()
    tcam.window.n = 1  # neighbouring frames on each side that the mode names
    tcam.window.mode = "before"  # before | after | before_after
    tcam.window.cam_tmp = True  # pool their CAMs; False: the neighbours serve window losses only
    tcam.cam_method = "layercam"  # see cams/methods.py; also scores stage 1 on validation
    tcam.encoder_checkpoint = "best_classification"  # best_classification | best_localization
    tcam.seed_checkpoint = "best_localization"  # the classifier whose CAMs give the seeds
    tcam.seed_source = "cam"  # cam | files: of seed_dir | boxes: true boxes, an upper bound
    tcam.seed_dir = ""  # the user's own maps: class/video/shot/frame.npy or .png, see README
    tcam.seed_view = "frame"  # frame (as the reference) | crop (one encoder pass less)
    tcam.seeds = ConfigDict()
    tcam.seeds.rule = "reference"  # reference | paper, see tcam_jax/pseudo_labels/sampling.py
    tcam.seeds.fg_pixels = 1  # drawn per frame
    tcam.seeds.bg_pixels = 1
    tcam.seeds.region = "all"  # all | largest: connected regions of the Otsu region

    # Formulas and units: the file of each in tcam_jax/losses. A weight of 0 switches a loss off.
    tcam.losses = losses = ConfigDict()
    losses.partial_ce = _loss(weight=1.0)
    losses.crf = _loss(
        weight=2e-9,  # at a crop of 224 px; converted for others, see losses/crf.py
        sigma_rgb=15.0,  # 0..255
        sigma_xy=100.0,  # pixels, at a crop of 224 px; converted likewise
        scale=1.0,  # of the image on which the loss is computed; below 1 it is another loss
        kernel_scale=0.594,  # the reference's lattice returns this share of the true kernel
        backend="auto",  # auto | grid | grid_matmul | exact, see losses/kernels/energy.py
        accuracy="default",  # default | fine
    )
    losses.size = _loss(weight=0.01)
    losses.entropy = _loss(weight=0.0)
    losses.bg_larger_than_fg = _loss(weight=0.0)
    losses.fg_size = _loss(weight=0.0, target=0.3, tolerance=0.001)  # shares of the frame
    losses.empty_outside_box = _loss(weight=0.0)
    # CoLo-CAM uses 4 to 9, with cam_tmp=False, region="largest" and 1000 seed pixels.
    losses.joint_color_crf = _loss(
        weight=0.0, adaptive=True, sigma_rgb=15.0, backend="auto", accuracy="default"
    )
    losses.temporal_consistency = _loss(weight=0.0, sigma_rgb=15.0)
    tcam.barrier = ConfigDict({"initial": 1.0, "maximum": 10.0, "growth": 1.01})  # t, per epoch

    config.eval = ConfigDict()
    config.eval.batch_size = 32
    config.eval.cam_methods = ("cam", "layercam")  # baselines in the table

    config.checkpoint = ConfigDict()
    config.checkpoint.every_steps = 100  # besides one after every epoch
    config.checkpoint.keep_last = 2  # the newest, and the best that they name
    config.checkpoint.keep_every_steps = 0  # and those of every so many steps; 0: none
    # Steps in a row that are not finite and were skipped, after which training goes back.
    config.checkpoint.skips_before_rollback = 5
    return config


def _loss(weight: float, adaptive: bool = False, **parameters: Any) -> ConfigDict:
    return ConfigDict(
        {
            "weight": weight,
            "final_weight": placeholder(float),  # reached linearly by end_epoch; None: constant
            "start_epoch": 1,  # of training, counted from 1 …
            "end_epoch": placeholder(int),  # … to this one; None: to the end
            "adaptive": adaptive,  # divide by the loss's own size: the term is always `weight`
            **parameters,
        }
    )


def _optimizer(learning_rate: float) -> ConfigDict:
    return ConfigDict(
        {
            "learning_rate": learning_rate,
            "momentum": 0.9,  # Nesterov
            "weight_decay": 1e-4,  # of every trained parameter
            "step_epochs": 15,  # every so many epochs …
            "gamma": 0.9,  # … the learning rate is multiplied by this
            "min_learning_rate": 1e-7,
        }
    )
