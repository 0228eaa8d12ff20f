#!/usr/bin/env bash
# Says how the request, the TPU and the job on each worker stand. Exit 1 where there is no TPU, or a worker is silent.
#
#   status.sh

# shellcheck source=settings.sh
source "$(dirname "${BASH_SOURCE[0]}")/settings.sh"

parse "" "$@"
no_words
require TPU_PROJECT TPU_ZONE TPU_NAME
state=$(queue_state ACTIVE) || stop "no state of $TPU_NAME: gcloud's own words are above" 1
[[ $state != NONE ]] || stop "there is no $TPU_NAME in $TPU_ZONE of $TPU_PROJECT" 1
[[ ${option[dry-run]:-} ]] || echo "request: $state"
mapfile -t where < <(place)
if [[ $state != ACTIVE ]]; then
  # The request's own reason, if it has one.
  cloud "$TPU_TIMEOUT" compute tpus queued-resources describe "$TPU_NAME" "${where[@]}" '--format=yaml(state)'
  exit 1
fi
node=$(cloud "$TPU_TIMEOUT" compute tpus tpu-vm describe "$TPU_NAME" "${where[@]}" \
  '--format=value[separator=" "](state,health,acceleratorType)') || stop "no state of the TPU VM $TPU_NAME" 1
[[ ${option[dry-run]:-} ]] || echo "TPU: $node"
job status || stop "not every worker answered" 1
