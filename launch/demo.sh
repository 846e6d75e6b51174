#!/usr/bin/env bash
# The whole method on a fresh machine: environment, data, both stages, scores, pictures.
#   bash launch/demo.sh [workdir] [--config.any.field=value …]
# Run again, it goes on where it was stopped, or ends at once.
set -euo pipefail
source "$(dirname "$0")/environment.sh"

workdir="runs/demo"
if [ $# -gt 0 ] && [[ "$1" != --* ]]; then
    workdir="$1"
    shift
fi
config="configs/demo.py"
# The map that the frame's colours refine gives the best boxes: docs/results.md.
map=(--config.eval.map=crf "--config.eval.other_maps=('logit','probability')")
python -m launch.prepare --config="$config" "$@"
python -m launch.train --config="$config" --workdir="$workdir" "${map[@]}" "$@"
python -m launch.report --workdir="$workdir"
