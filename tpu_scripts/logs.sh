#!/usr/bin/env bash
# Shows the log of the job.
#
#   logs.sh [--worker 0] [--lines 100] [--follow]
#
#   --worker  number, or all: each line then begins with its worker
#   --lines   how many from the end
#   --follow  go on until the job ends; Ctrl-C ends the display, not the job

# shellcheck source=settings.sh
source "$(dirname "${BASH_SOURCE[0]}")/settings.sh"

parse "--worker= --lines= --follow" "$@"
no_words
require TPU_PROJECT TPU_ZONE TPU_NAME
worker=${option[worker]:-0} lines=${option[lines]:-100} limit=$TPU_TIMEOUT follow=()
[[ $worker =~ ^([0-9]+|all)$ ]] || stop "--worker $worker: it must be a number or all"
[[ $lines =~ ^[0-9]+$ ]] || stop "--lines $lines: it must be a number"
[[ ${option[follow]:-} ]] && follow=(--follow) limit=0
[[ $worker == all ]] && follow+=(--named)
on_worker "$worker" "$limit" bash adl/tpu_scripts/worker/job.sh log "$lines" "${follow[@]}" ||
  stop "no log of worker $worker: see status.sh" 1
