#!/usr/bin/env bash
# Copies what worker 0 has in runs/ to here: into runs/NAME of the TPU, where no local run can be.
#
#   fetch.sh [RUN] [--worker 0] [--to DIR]
#
#   RUN       one folder of runs/ only, such as diffusion; without it all runs and logs
#   --worker  of another worker (its log: only worker 0 writes runs)
#   --to      folder, made if it is not there; files of the same name are replaced

# shellcheck source=settings.sh
source "$(dirname "${BASH_SOURCE[0]}")/settings.sh"

parse "--worker= --to=" "$@"
require TPU_PROJECT TPU_ZONE TPU_NAME
((${#words[@]} <= 1)) || stop "one run at a time: what is '${words[1]}'?"
run=${words[0]:-*} worker=${option[worker]:-0} to=${option[to]:-$root/runs/$TPU_NAME}
[[ $run == "*" || $run =~ ^[A-Za-z0-9_][A-Za-z0-9._-]*$ ]] || stop "'$run': it must be the name of a folder in runs/"
[[ $worker =~ ^[0-9]+$ ]] || stop "--worker $worker: it must be a number"
[[ ${option[dry-run]:-} ]] || mkdir -p "$to" || stop "--to $to: it cannot be made"
mapfile -t where < <(place)
cloud "$TPU_SETUP_TIMEOUT" compute tpus tpu-vm scp "$TPU_NAME:adl/runs/$run" "$to/" \
  "${where[@]}" "--worker=$worker" --recurse ||
  stop "nothing, or not everything, came: see status.sh" 1
[[ ${option[dry-run]:-} ]] || say "$to"
