#!/usr/bin/env bash
# Several processes on one host that train as one:
#   bash launch/local_processes.sh N [--gpus] [--dry_run] --config=… --workdir=… [train flags…]
# --gpus     one process for each of N GPUs (of those in CUDA_VISIBLE_DEVICES, where it is set);
#            without it the processes compute on the host's CPUs
# --dry_run  print the commands, run nothing
# Process 0 writes to the terminal, process i to stderr with "[i] " before each line.
#
# For one host with several GPUs this is not needed: one process uses them all,
#   python -m launch.train --config=… --workdir=…
# Worth it where one process cannot feed that many GPUs, and to try on a laptop what a cluster runs.
#
# Exit status: 0, or that of the first process to fail; 75 when interrupted (SIGTERM, SIGINT,
# SIGHUP): the same command goes on from there.
set -euo pipefail

# To edit, here or as variables of the environment. When a process has failed, the others usually
# notice by themselves and say why; those still there after TERM_AFTER seconds get SIGTERM, and
# SIGKILL another KILL_AFTER seconds later.
TERM_AFTER="${TERM_AFTER:-5}"
KILL_AFTER="${KILL_AFTER:-60}"

fail() {
    echo "error: $*" >&2
    exit 2
}

flags=()
gpus="" dry_run=""
for argument in "${@:2}"; do
    case "$argument" in
        --gpus) gpus=yes ;;
        --dry_run) dry_run=yes ;;
        *) flags+=("$argument") ;;
    esac
done
[[ "${1:-}" =~ ^[1-9][0-9]*$ ]] || fail "usage: local_processes.sh N [--gpus] [--dry_run] [train flags…]"
processes="$1"

visible=()
if [ -n "$gpus" ] && [ -n "${CUDA_VISIBLE_DEVICES:-}" ]; then
    IFS=, read -r -a visible <<< "$CUDA_VISIBLE_DEVICES"
    ((processes <= ${#visible[@]})) ||
        fail "$processes processes, but CUDA_VISIBLE_DEVICES=$CUDA_VISIBLE_DEVICES"
fi

cd "$(dirname "${BASH_SOURCE[0]}")/.."
source launch/show_command.sh

# Sets `command` to what process $1 runs, the coordinator (process 0) listening on port $2. It
# listens on the loopback address alone, as it asks nobody who they are.
set_command() {
    command=(
        env
        "JAX_COORDINATOR_ADDRESS=127.0.0.1:$2"
        "JAX_COORDINATOR_BIND_ADDRESS=127.0.0.1:$2"
        "JAX_NUM_PROCESSES=$processes"
        "JAX_PROCESS_ID=$1"
    )
    # Were a GPU missing, JAX would fall back to the CPU in one process, and the others wait for it.
    if [ -n "$gpus" ]; then
        command+=("JAX_PLATFORMS=${JAX_PLATFORMS:-cuda,cpu}" "CUDA_VISIBLE_DEVICES=${visible[$1]:-$1}")
    else
        command+=("JAX_PLATFORMS=${JAX_PLATFORMS:-cpu}")
    fi
    command+=(python -m launch.train --distributed ${flags[@]+"${flags[@]}"})
}

if [ -n "$dry_run" ]; then
    for ((id = 0; id < processes; id++)); do
        set_command "$id" PORT # a free one, chosen at the start
        show_command "${command[@]}"
    done
    exit
fi

source launch/environment.sh
port="$(python -c 'import socket
with socket.socket() as free:
    free.bind(("127.0.0.1", 0))
    print(free.getsockname()[1])')"

# Each process is reported here as it ends, so that the first to fail is known. Only the shells
# around the processes hold the writing end: when the last of them is gone, there is an end of file.
reports="$(mktemp -d)"
mkfifo "$reports/pipe"
exec 4<> "$reports/pipe"
exec 3< "$reports/pipe"
rm -r "$reports"

# Process $1 as $command, its output prefixed unless it is process 0; reports how it ended.
supervise() {
    trap : TERM # outlives the process, in whose group it is
    local status=0
    if [ "$1" = 0 ]; then
        "${command[@]}" 4>&- || status=$?
    else
        # sed must pass on the last words of a process that has been told to end.
        "${command[@]}" 2>&1 4>&- |
            (trap '' TERM && exec sed -u "s/^/[$1] /" >&2 4>&-) || status=$?
    fi
    echo "$1 $status" >&4
}

groups=()
# Sends signal $1 to all processes (and what they started) that are still there.
tell_all() {
    local group
    for group in ${groups[@]+"${groups[@]}"}; do
        kill "-$1" -- "-$group" 2> /dev/null || true
    done
}
interrupted="" told=""
trap 'interrupted=yes told=yes; tell_all TERM' TERM INT HUP

# Every process in a process group of its own: Ctrl-C at the terminal reaches this script alone,
# which passes it on once; and SIGKILL reaches whatever a process has started.
set -m
for ((id = 0; id < processes; id++)); do
    set_command "$id" "$port"
    supervise "$id" 3<&- < /dev/null &
    groups+=("$!")
done
set +m
exec 4>&-
[ -z "$interrupted" ] || tell_all TERM # those started after the signal

ended=0 failed=0 failed_at=0
while ((ended < processes)); do
    if read -r -t 1 -u 3 id status; then
        ended=$((ended + 1))
        if ((status != 0 && failed == 0)); then
            failed="$status" failed_at="$SECONDS"
            [ -n "$interrupted" ] ||
                echo "process $id ended with status $status; stopping the others" >&2
        fi
    elif (($? <= 128)); then # the end of file: a process and its shell were killed from outside
        ((failed)) || failed=137
        break
    fi
    if ((failed && SECONDS - failed_at >= TERM_AFTER + KILL_AFTER)); then
        echo "not all processes ended when told to; killing them" >&2
        tell_all KILL
        break
    elif ((failed && SECONDS - failed_at >= TERM_AFTER)) && [ -z "$told" ]; then
        told=yes
        tell_all TERM
    fi
done
wait || true

# Ended by the very signal that was passed on (143) is a process that had not begun to train.
if [ -n "$interrupted" ] && ((failed == 143)); then
    failed=75
fi
exit "$failed"
