# shellcheck shell=bash
# Sourced by the launchers: show_command COMMAND ARGS… prints a command as one would type it.
# Only what the shell would change is quoted, so that the line can be read, and copied as it is.
show_command() {
    local word separator=""
    for word in "$@"; do
        [[ "$word" =~ ^[A-Za-z0-9_./:=,@%+-]+$ ]] || word="${word@Q}"
        printf '%s%s' "$separator" "$word"
        separator=" "
    done
    printf '\n'
}
