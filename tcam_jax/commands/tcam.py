"""The console command: `tcam NAME --flag=value …`."""

import importlib
import sys

from tcam_jax.runtime.huge_pages import start_again_with_huge_pages
from tcam_jax.runtime.streams import keep_streams

COMMANDS = {
    "prepare": "read videos or frames into a dataset, or only say what is wrong with them",
    "train": "train both stages and evaluate; goes on where it was stopped",
    "evaluate": "score a trained run",
    "predict": "classes, boxes and overlays for images and videos",
    "convert": "predictions as CSV, COCO, MOT or YOLO; those of several shards as one",
