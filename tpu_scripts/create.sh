#!/usr/bin/env bash
# Asks for a TPU: a queued resource and its one slice, both called NAME.
#
#   create.sh [--type v5e-16] [--spot | --on-demand] [--wait] [--valid-until 6h] [--runtime VERSION]
#
#   --type         v4-8, v5e-16, v5p-8, v6e-16, or a shape of chips: v5e:4x4, v4:2x2x2
#   --spot         cheap, may be taken back (the default); --on-demand: kept until deleted
#   --wait         return when the TPU is there; exit 1 if it cannot be
#   --valid-until  give up the request after this time: 30m, 6h
#   --runtime      software of the VMs, if not the one for JAX

# shellcheck source=settings.sh
source "$(dirname "${BASH_SOURCE[0]}")/settings.sh"

# Prints the accelerator type and the runtime of TPU_TYPE, one a line.
accelerator() {
  local generation=${TPU_TYPE%%[-:]*} size=${TPU_TYPE#*[-:]} family runtime axes=2 cores=1
  case $generation in
    v4) family=v4 runtime=tpu-ubuntu2204-base axes=3 cores=2 ;;
    v5e | v5litepod) family=v5litepod runtime=v2-alpha-tpuv5-lite ;;
    v5p) family=v5p runtime=v2-alpha-tpuv5 axes=3 cores=2 ;;
    v6e) family=v6e runtime=v2-alpha-tpuv6e ;;
    *) stop "--type $TPU_TYPE: no such generation; there are v4, v5e, v5p, v6e (v4-8, v5e-16, v5e:4x4)" ;;
  esac
  if [[ $TPU_TYPE == *:* ]]; then
    [[ $size =~ ^[1-9][0-9]*(x[1-9][0-9]*){$((axes - 1))}$ ]] ||
      stop "--type $TPU_TYPE: the shape of a $generation slice has $axes numbers; one is v5e:4x4, one v4:2x2x1"
    size=$((${size//x/*} * cores))
  fi
  [[ $size =~ ^[1-9][0-9]*$ ]] || stop "--type $TPU_TYPE: it must end in a number, such as $generation-8"
  ((cores == 1 || size % 8 == 0)) ||
    stop "--type $TPU_TYPE: $generation counts cores, two a chip and eight a worker: $generation-8, $generation-16"
  printf '%s\n' "$family-$size" "${TPU_RUNTIME:-$runtime}"
}

# Looks at the queued resource until it is ACTIVE. One answer that does not come is no reason to give up; five are.
await() {
  local state last="" silent=0
  while :; do
    if state=$(queue_state ACTIVE); then
      silent=0
    else
      ((++silent < 5)) || stop "no state of $TPU_NAME in five attempts; the request stands: see status.sh" 1
      state=$last
    fi
    [[ $state == "$last" || ${option[dry-run]:-} ]] || say "$(date +%T) $TPU_NAME: $state"
    last=$state
    case $state in
      ACTIVE) return ;;
      FAILED) stop "$TPU_NAME: FAILED: no quota, no capacity in time, or no such slice there; see status.sh" 1 ;;
      SUSPENDING | SUSPENDED) stop "$TPU_NAME: $state: it was taken back; delete.sh, then create.sh" 1 ;;
      NONE | DELETING) stop "$TPU_NAME: somebody deleted it" 1 ;;
    esac
    sleep "$TPU_POLL"
  done
}

parse "$capacity_flags --wait" "$@"
no_words
require TPU_PROJECT TPU_ZONE TPU_NAME TPU_TYPE
made=$(accelerator)
mapfile -t made <<<"$made"
mapfile -t flags < <(place)
flags+=("--node-id=$TPU_NAME" "--accelerator-type=${made[0]}" "--runtime-version=${made[1]}")
case $TPU_CAPACITY in
  spot) flags+=(--spot) ;;
  on-demand) ;;
  *) stop "TPU_CAPACITY=$TPU_CAPACITY: it must be spot or on-demand" ;;
esac
[[ ${option[valid-until]:-} ]] && flags+=("--valid-until-duration=${option[valid-until]}")
read -ra further <<<"$TPU_CREATE_FLAGS"
cloud "$TPU_TIMEOUT" compute tpus queued-resources create "$TPU_NAME" "${flags[@]}" "${further[@]}" ||
  stop "$TPU_NAME was not requested: gcloud's own words are above" 1
if [[ ${option[wait]:-} ]]; then await; fi
