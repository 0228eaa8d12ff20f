#!/usr/bin/env bash
# Deletes the TPU, its queued resource and all that its disks hold, after its name was typed.
#
#   delete.sh [--yes]
#
#   --yes  do not ask

# shellcheck source=settings.sh
source "$(dirname "${BASH_SOURCE[0]}")/settings.sh"

parse "--yes" "$@"
no_words
require TPU_PROJECT TPU_ZONE TPU_NAME
state=$(queue_state ACTIVE) || stop "no state of $TPU_NAME: gcloud's own words are above" 1
[[ $state != NONE ]] || stop "there is no $TPU_NAME in $TPU_ZONE of $TPU_PROJECT" 1
if [[ -z ${option[yes]:-} && -z ${option[dry-run]:-} ]]; then
  [[ -t 0 ]] || stop "nobody to ask: --yes deletes $TPU_NAME without a question"
  printf 'Type %s to delete it (%s), with all files on its workers: ' "$TPU_NAME" "$state" >&2
  read -r typed || typed=
  [[ $typed == "$TPU_NAME" ]] || stop "'$typed' is not $TPU_NAME: nothing was deleted" 1
fi
mapfile -t where < <(place)
cloud "$TPU_TIMEOUT" compute tpus queued-resources delete "$TPU_NAME" "${where[@]}" --force ||
  stop "$TPU_NAME was not deleted, and may still cost: gcloud's own words are above" 1
if [[ -z ${option[dry-run]:-} ]]; then say "$TPU_NAME: deleted"; fi
