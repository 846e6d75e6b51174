"""Every field of a config with the published TCAM hyper-parameters (YouTube-Objects v1.0).

Not an experiment by itself: the files of `configs/`, and a user's own, start from it. The comment
above a field or on its line is its meaning in docs/config.md: `python docs/generate_config.py`.
"""

from typing import Any

from ml_collections import ConfigDict
from ml_collections.config_dict import placeholder


def get_config() -> ConfigDict:
    """Return a new config that may be changed; `config.rules.validate` says what it may hold."""
    config = ConfigDict()
    config.seed = 0  # of the initial weights, the batches, the augmentation and the seeds' draws
    # How a step is spread over the devices, see docs/distributed.md: pmap | shard_map | jit; auto:
    # pmap in one process, shard_map in several.
    config.parallel = "auto"
    # float32 | bfloat16 (activations; parameters are float32) | float64 (to compare numbers; needs
    # JAX_ENABLE_X64=1)
    config.precision = "float32"
    config.deterministic = False  # on GPUs: the same bits every time, for some speed

    config.dataset = dataset = ConfigDict()
    dataset.name = ""  # which one: moving_photos | moving_shapes | video_folder | youtube_objects
    # A version of it: "v1.0" of youtube_objects, or the name of a dataset of yours.
    dataset.config = "default"
    dataset.data_dir = "data"  # where prepared datasets live
    dataset.manual_dir = ""  # your own files, read by `tcam prepare`
    # Further arguments of the dataset's builder, such as split_by of configs/video_folder.py.
    dataset.options = ConfigDict()
    # Frames of a shot in an epoch, spread over it; a shot of fewer gives each of them once.
    dataset.frames_per_shot = 1
    # Share of every shot, around its middle, that training draws frames from; CoLo-CAM has 0.6
    dataset.middle_share = 1.0
    dataset.balanced = False  # as many frames of every class in an epoch
    # The class, if there is one of this name, whose frames show none of the others: the classifier
    # learns it, TCAM is not trained on it, and a frame predicted so has no box.
    dataset.background = ""
    dataset.resize = 256  # training frames are resized to this square, pixels …
    dataset.crop = 224  # … and cropped to this one; evaluation resizes straight to it

    config.model = ConfigDict()
    # resnet10 | resnet18 | resnet34 | resnet50 | resnet101 | vgg16 | inception_v3 |
    # efficientnet_lite0 … efficientnet_lite4 | vit_small_patch16 | deit_small_patch16 |
    # dinov2_small_patch14 | dinov2_small_patch14_registers, see docs/encoders.md
    config.model.encoder = "resnet50"
    # Pixels between two places of its last features: 8 | 16 | 32; None: as usual for the family,
    # 8 for ResNets (as the reference), VGG16, InceptionV3, 16 for EfficientNet-Lite, a
    # transformer's patch.
    config.model.output_stride = placeholder(int)
    # Attributes of it; a flag changes only what a config file has set.
    config.model.encoder_options = ConfigDict()
    config.model.decoder_width = 1.0  # factor of the decoder's channels
    # The classification head: wgap | gap | max | lse | wildcat | attention_mil | class_tokens
    config.model.head = "wgap"
    # Attributes of it, such as sharpness of lse; a flag changes only what a config file has set.
    config.model.head_options = ConfigDict()
    config.model.pretrained = ""  # weights to begin with, see docs/weights.md; "": random ones

    # Stage 1: classifier. `optimizer` fields have the same meaning in both stages.
    config.classifier = classifier = ConfigDict()
    classifier.batch_size = 32  # frames a step, of all devices together
    # How long to train, exactly one above 0 of: epochs, in each of which every shot comes once …
    classifier.epochs = 100
    classifier.steps = 0  # … or steps …
    classifier.examples = 0  # … or frames shown, those that come again counted again …
    classifier.passes = 0.0  # … or times that every frame is shown, on average
    classifier.accumulation = 1  # microbatches a step: less memory, other batch-norm statistics
    classifier.label_smoothing = 0.0  # share of the target spread over all classes
    classifier.optimizer = _optimizer(learning_rate=0.001)
    # Learning-rate factor of the encoder's last stage and the head.
    classifier.optimizer.new_layers_ratio = 10.0

    # Stage 2: encoder and head frozen, decoder trained on seeds from temporal CAMs.
    config.tcam = tcam = ConfigDict()
    tcam.batch_size = 32  # windows a step, of all devices together
    tcam.epochs = 100  # how long, as of the classifier; all four 0: the classifier alone …
    tcam.steps = 0  # … or steps …
    tcam.examples = 0  # … or windows …
    tcam.passes = 0.0  # … or times that every frame is the target of a window, on average
    tcam.accumulation = 1  # microbatches a step, as of the classifier
    tcam.remat_decoder = False  # less memory: its activations are computed twice
    tcam.optimizer = _optimizer(learning_rate=0.01)
    tcam.window = ConfigDict()
    tcam.window.n = 1  # neighbouring frames on each side that the mode names
    tcam.window.mode = "before"  # the sides: before | after | before_after
    # Which frames of a side: adjacent | gaussian (drawn, the nearer the likelier) | interval (one
    # in each of n equal parts of it), see docs/recipes/colo_cam.md
    tcam.window.sampling = "adjacent"
    tcam.window.sigma_t = 10.0  # of gaussian: how far away neighbours are, frames
    tcam.window.cam_tmp = True  # pool their CAMs; False: each frame has its own
    tcam.window.pooling = "max"  # how: max | mean | softmax, see pseudo_labels/temporal.py
    # Move the neighbours' CAMs along the optical flow to where things are in the target first.
    tcam.window.align = False
    # Frames with seeds and the losses of single frames: target | all (as CoLo-CAM), see
    # docs/losses.md
    tcam.window.labelled = "target"
    tcam.cam_method = "layercam"  # gives the seeds, and scores stage 1 on validation
    # The classifier that stage 2 starts from: best_classification | best_localization
    tcam.encoder_checkpoint = "best_classification"
    tcam.seed_checkpoint = "best_localization"  # the classifier whose CAMs give the seeds
    tcam.seed_source = "cam"  # cam | files: of seed_dir | boxes: true boxes, an upper bound
    tcam.seed_dir = ""  # your own maps: class/video/shot/frame.npy or .png, see docs/losses.md
    # What the seeds' CAMs see: frame (the training frame, shrunk) | source (the stored frame,
    # resized once, as the reference) | crop (a pass less), see docs/paper_vs_reference.md
    tcam.seed_view = "frame"
    # Move the maps back by how far the classifier shows things from where they are, found on
    # validation frames without labels or boxes, see cams/displacement.py.
    tcam.align_seeds = False
    tcam.seeds = ConfigDict()
    # How they are drawn: reference | paper | colo_cam | fcam, see docs/paper_vs_reference.md
    tcam.seeds.rule = "reference"
    tcam.seeds.fg_pixels = 1  # foreground seeds drawn per frame
    tcam.seeds.bg_pixels = 1  # background seeds, likewise
    # What of the Otsu region: all | largest | largest_box | densest, see docs/paper_vs_reference.md
    tcam.seeds.region = "all"
    # Share of the steps after which they are drawn from the network's own maps (those of the
    # average of its parameters, see optimizer.ema), not from CAMs; 1: never, see docs/losses.md
    tcam.seeds.self_training_start = 1.0
    # Share that what moves (the camera's motion left out) has in the maps that seeds are drawn
    # from, 0..1: 0 is the CAMs alone, see pseudo_labels/motion_prior.py
    tcam.seeds.motion = 0.0
    tcam.seeds.box = "tight"  # around it, for the loss empty_outside_box: tight | reference

    # Formulas and units: the file of each in tcam_jax/losses. A weight of 0 switches a loss off.
    tcam.losses = losses = ConfigDict()
    losses.partial_ce = loss(weight=1.0)  # cross-entropy of the seeds
    losses.crf = loss(  # dense CRF: pixels of similar colour and place want the same label
        weight=2e-9,  # at a crop of 224 px; converted for others, see losses/crf.py
        sigma_rgb=15.0,  # how far apart similar colours may be, 0..255
        sigma_xy=100.0,  # how far apart places may be, pixels at 224 px; converted likewise
        scale=1.0,  # of the image on which the loss is computed; below 1 it is another loss
        kernel_scale=0.594,  # the reference's lattice returns this share of the true kernel
        backend="auto",  # auto | grid | grid_matmul | exact, see losses/kernels/energy.py
        accuracy="default",  # of the grid: default | fine
    )
    losses.size = loss(weight=0.01)  # neither foreground nor background may vanish
    losses.entropy = loss(weight=0.0)  # every pixel wants to be sure
    losses.bg_larger_than_fg = loss(weight=0.0)  # the background wants the larger area
    losses.fg_size = loss(  # the foreground wants a known share of the frame
        weight=0.0,
        target=0.3,  # that share, 0..1
        tolerance=0.001,  # share by which it may be missed
    )
    losses.empty_outside_box = loss(weight=0.0)  # no foreground outside the seed region's box
    # CRF of colours alone over all frames of a window; CoLo-CAM uses weights of 4 to 9, see
    # docs/losses.md.
    losses.joint_color_crf = loss(
        weight=0.0,
        adaptive=True,
        sigma_rgb=15.0,  # as of the loss crf
        kernel_scale=0.77,  # likewise, of the reference's lattice of colours; without adaptive only
        backend="auto",  # as of the loss crf
        accuracy="default",  # as of the loss crf
    )
    # Where a pixel keeps its colour from frame to frame, it wants to keep its label.
    losses.temporal_consistency = loss(
        weight=0.0,
        sigma_rgb=15.0,  # how far apart colours that are kept may be, 0..255
    )
    tcam.barrier = ConfigDict(  # t of the log-barriers in the size losses
        {
            "initial": 1.0,  # t in the first epoch; the larger, the steeper
            "maximum": 10.0,  # t grows no further
            "growth": 1.01,  # factor per epoch
        }
    )

    config.eval = ConfigDict()
    # Between two validations, which run beside the training: "1 epoch", "100 steps", "10 minutes".
    config.eval.every = "1 epoch"
    # TCAM's map that selects checkpoints and predicts: logit (thresholds of which keep their
    # meaning) | probability (as the reference) | crf (logit, refined by the frame's colours) |
    # fused (probability times LayerCAM) | motion (crf, what moves counted in: needs a frame's
    # neighbours), see docs/results.md
    config.eval.map = "logit"
    config.eval.other_maps = ("probability",)  # those in the table beside it
    # The boxes on validation frames that select checkpoints: boxes (true ones; without any, the
    # classifier by accuracy and TCAM's last step) | none (so with boxes too) | motion (of what
    # moves) | selective_search | cam (those of the frozen classifier's CAMs; the classifier by
    # accuracy), see docs/your_videos.md
    config.eval.select_by = "boxes"
    # Validation frames that select checkpoints, as evenly of all classes as can be; 0: all. The
    # results at the end are always of whole splits, see docs/your_videos.md
    config.eval.frames = 0
    config.eval.batch_size = 32  # frames at once in validation and evaluation
    config.eval.cam_methods = ("cam", "layercam")  # baselines in the table; cam_method among them

    config.checkpoint = ConfigDict()
    # Between two, besides those that turned out the best; written beside the training, units as of
    # eval.every. So much a kill costs.
    config.checkpoint.every = "5 minutes"
    config.checkpoint.keep_last = 2  # so many of the newest stay, and the best that they name
    config.checkpoint.keep_every_steps = 0  # those of every so many steps stay too; 0: none
    # Steps in a row that are not finite and were skipped, after which training goes back.
    config.checkpoint.skips_before_rollback = 5
    return config


def loss(weight: float, adaptive: bool = False, **parameters: Any) -> ConfigDict:
    """Return the settings of a loss that trains all the time, for `config.tcam.losses.NAME`.

    Args:
      weight: of the loss in the objective; 0 switches it off.
      adaptive: see `losses.schedule`.
      parameters: keyword arguments of the loss's function.
    """
    return ConfigDict(
        {
            "weight": weight,  # 0: the loss is off
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
            "name": "sgd",  # any optimiser of optax: sgd, adamw, lion …
            # Its arguments; none: optax's defaults, but for sgd momentum=0.9 and nesterov=True.
            "args": ConfigDict(),
            "learning_rate": learning_rate,  # at its highest
            # Of every trained parameter: the optimiser's own if it has one, as adamw; else part of
            # the gradient.
            "weight_decay": 1e-4,
            "schedule": "step",  # step | cosine | constant | warmup_cosine
            "step_epochs": 15,  # of step: every so many epochs …
            "gamma": 0.9,  # … the learning rate is multiplied by this
            "min_learning_rate": 1e-7,  # it falls no lower; the cosines end there
            "warmup_epochs": 1.0,  # of warmup_cosine: it rises from 0 for so many epochs
            # ((regular expression, factor), …) of the learning rate, where the expression is found
            # in a parameter's path such as "encoder/layer4_0/conv1/kernel"; 0 freezes.
            "multipliers": (),
            "clip_norm": 0.0,  # longer gradients are shortened to this; 0: none
            # Decay a step of the average of the parameters that is validated, kept as best and
            # exported, such as 0.999 (less in the first steps); 0: the parameters themselves.
            "ema": 0.0,
        }
    )
