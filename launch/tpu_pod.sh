#!/usr/bin/env bash
# Training on all workers of a Cloud TPU, a single host or a pod, from any machine with gcloud:
#   bash launch/tpu_pod.sh NAME ZONE [--dry_run] --config=… --workdir=… [train flags…]
# Copies the checkout (as it is now, without what git ignores) to every worker, installs there,
# trains. --dry_run prints the gcloud commands and runs nothing.
#
# Before: make the TPU, and let ssh reach its workers without asking for a passphrase:
#   gcloud compute tpus tpu-vm create NAME --zone=ZONE --accelerator-type=v5litepod-16 \
#       --version=v2-alpha-tpuv5-lite
#   ssh-add ~/.ssh/google_compute_engine
#   gcloud compute tpus tpu-vm ssh NAME --zone=ZONE --worker=all \
#       --command="sudo apt-get update && sudo apt-get install -y python3.11-venv"
# --workdir and --config.dataset.data_dir are paths on the workers: on storage that outlives the TPU
# and that all of them have mounted (Filestore; for data also a bucket through Cloud Storage FUSE,
# which is no place for a workdir: checkpoints are renamed folders).
#
# The run hangs on this connection, so start it where that lasts (tmux, a small VM). To save and
# stop it, also one that lost its connection; the same launch command goes on:
#   gcloud compute tpus tpu-vm ssh NAME --zone=ZONE --worker=all \
#       --command="pkill -TERM -f '[l]aunch.train'"
# Exit status: that of the first worker (in their order) whose command failed.
set -euo pipefail

# To edit, or as variables of the environment: the interpreter on the workers (3.11 to 3.13), and
# the folder in their home.
PYTHON="${PYTHON:-python3.11}"
FOLDER="${FOLDER:-tcam_jax}"

[[ $# -ge 2 && "$1" != -* && "$2" != -* ]] || {
    echo "error: usage: tpu_pod.sh NAME ZONE [--dry_run] [train flags…]" >&2
    exit 2
}
name="$1" zone="$2"
flags=()
dry_run=""
for argument in "${@:3}"; do
    if [ "$argument" = --dry_run ]; then dry_run=yes; else flags+=("$argument"); fi
done

cd "$(dirname "${BASH_SOURCE[0]}")/.."
source launch/show_command.sh

run() {
    if [ -n "$dry_run" ]; then show_command "$@"; else "$@"; fi
}

# Runs $1 in bash on every worker.
on_workers() {
    run gcloud compute tpus tpu-vm ssh "$name" "--zone=$zone" --worker=all "--command=$1"
}

archive="$FOLDER.tar.gz"
if [ -z "$dry_run" ]; then
    packed="$(mktemp -d)"
    trap 'rm -r "$packed"' EXIT
    git ls-files -z --cached --others --exclude-standard |
        tar --create --gzip --null --files-from=- --file="$packed/$archive"
fi
run gcloud compute tpus tpu-vm scp "${packed:-TEMPORARY}/$archive" "$name:$archive" "--zone=$zone" --worker=all
on_workers "mkdir -p $FOLDER && tar -xzf $archive -C $FOLDER"
on_workers "export PYTHON=$PYTHON && source $FOLDER/launch/environment.sh && pip install --quiet 'jax[tpu]'"
# The flags go through a shell on the worker, so they are quoted for it.
on_workers "source $FOLDER/launch/environment.sh && exec $(show_command python -m launch.train \
    --distributed ${flags[@]+"${flags[@]}"})"
