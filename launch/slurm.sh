#!/usr/bin/env bash
# Training as a SLURM job, one process for each GPU. From the checkout, which all nodes must see:
#   source launch/environment.sh         # once, where there is internet, and before any array
#   pip install "jax[cuda12]"
#   sbatch launch/slurm.sh --config=… --workdir=… [train flags…]
#   sbatch --array=0-2 launch/slurm.sh … # one run for each of the seeds 0, 1 and 2, each on the
#                                        # resources below, in WORKDIR-seed0, WORKDIR-seed1, …
#   bash launch/slurm.sh --dry_run …     # print what the job would run, run nothing
#   sbatch --test-only launch/slurm.sh … # SLURM's own check of the resources
#
# To edit (sbatch's options before the script's name do so for one job). Tasks and GPUs per node
# must be the same number: JAX gives task i of a node the node's GPU i.
#SBATCH --job-name=tcam
#SBATCH --nodes=1
#SBATCH --ntasks-per-node=4
#SBATCH --gpus-per-node=4
#SBATCH --cpus-per-task=8
#SBATCH --time=24:00:00
#
# Often needed:
##SBATCH --partition=…
##SBATCH --account=…
#
# Two minutes before the time limit all training processes (not this script) get SIGTERM, save their
# state and end with status 75; this script then puts the job back into the queue. Before
# preemption they get it where the partition has a GraceTime. A state that takes longer to write
# needs more than 120.
#SBATCH --signal=TERM@120
#SBATCH --requeue
#SBATCH --open-mode=append
#
# `scancel JOB` ends a job for good (it has the cluster's KillWait, often 30 seconds, to save);
# `scancel --signal=TERM JOB` saves and puts it back into the queue.
set -euo pipefail

# To edit: interrupted more often than this, a job is not put back any more, so that one that gets
# nowhere does not come back for ever.
max_restarts=100

fail() {
    echo "error: $*" >&2
    exit 2
}

# SLURM runs a copy of this script: where the checkout is it knows from the submission.
cd "${SLURM_SUBMIT_DIR:-$(dirname "${BASH_SOURCE[0]}")/..}"
[ -f launch/show_command.sh ] || fail "submit from the checkout's folder, not from $PWD"
source launch/show_command.sh

flags=()
dry_run="" previous=""
for argument in "$@"; do
    if [ -n "${SLURM_ARRAY_TASK_ID:-}" ]; then
        [[ "$argument" != --workdir=* && "$previous" != --workdir ]] ||
            argument="${argument%/}-seed$SLURM_ARRAY_TASK_ID"
    fi
    if [ "$argument" = --dry_run ]; then dry_run=yes; else flags+=("$argument"); fi
    previous="$argument"
done
if [ -n "${SLURM_ARRAY_TASK_ID:-}" ]; then
    flags+=("--config.seed=$SLURM_ARRAY_TASK_ID")
    # In an array, the id of one of the jobs is that of the whole array too.
    job="${SLURM_ARRAY_JOB_ID:-ARRAY}_$SLURM_ARRAY_TASK_ID"
else
    job="${SLURM_JOB_ID:-JOB}"
fi

# srun does not take the CPUs per task from sbatch by itself. The first process to end must not take
# the others with it while they write; after a minute those that still wait for it are ended.
command=(
    srun "--cpus-per-task=${SLURM_CPUS_PER_TASK:-8}" --kill-on-bad-exit=0 --wait=60
    python -m launch.train --distributed ${flags[@]+"${flags[@]}"}
)
requeue=(scontrol requeue "$job")

if [ -n "$dry_run" ]; then
    show_command "${command[@]}"
    echo "# and if it ends with status 75, interrupted and saved:"
    show_command "${requeue[@]}"
    exit
fi
[ -n "${SLURM_JOB_ID:-}" ] || fail "a job script: sbatch launch/slurm.sh …"

source launch/environment.sh
status=0
"${command[@]}" || status=$?
# 143: by the signal itself, before training had begun.
if [ "$status" = 75 ] || [ "$status" = 143 ]; then
    if ((${SLURM_RESTART_COUNT:-0} < max_restarts)); then
        echo "interrupted, state saved: back into the queue"
        "${requeue[@]}"
    else
        echo "interrupted for the ${SLURM_RESTART_COUNT}th time: not put back" >&2
    fi
fi
exit "$status"
