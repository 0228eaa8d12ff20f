#!/usr/bin/env bash
# Runs `python -m experiments.NAME FLAG...` on every worker, detached: it goes on when ssh, or this machine, is gone.
#
#   run.sh [--replace] experiments.NAME FLAG...
#   run.sh --keep-alive --yes [--replace] [flags of create.sh and setup.sh] experiments.NAME FLAG...
#   run.sh --stop
#
#   --replace     stop the job that is running, after it has saved, and start this one
#   --keep-alive  stay and watch: make, or make again, the TPU; install, start, and go on until the job is done.
#                 What was taken back is deleted, so it wants --yes. The run must lie in the bucket to be resumed.
#   --stop        stop the job, after it has saved
#
# A worker restarts the experiment by itself where it exits with 75 (saved, to be restarted) or dies of a signal.

# shellcheck source=settings.sh
source "$(dirname "${BASH_SOURCE[0]}")/settings.sh"

# The words must be an experiment of this checkout, with a workdir that the runner can write.
check_words() {
  local name=${words[0]:-} known=() file word close
  for file in "$root"/experiments/{,[a-z]*/}[a-z]*.py "$root"/experiments/[a-z]*/__main__.py; do
    file=${file#"$root"/experiments/} file=${file%.py} file=${file%/__main__}
    known+=("${file//\//.}")
  done
  [[ $name ]] || stop "which experiment? run.sh experiments.NAME FLAG..."
  if [[ $name != experiments.* || " ${known[*]} " != *" ${name#experiments.} "* ]]; then
    close=$(did_you_mean "${name#experiments.}" "${known[@]}")
    stop "no experiment $name${close/mean /mean experiments.}"
  fi
  for word in "${words[@]}"; do
    [[ $word =~ ^(--workdir=)?gs:// ]] &&
      stop "$word: the runner writes to folders; setup.sh --bucket NAME mounts a bucket for --workdir bucket/RUN"
  done
  return 0
}

has() { # has STATES: whether a worker of the report is in one of them
  grep -qE "^worker [^:]+: ($1)" <<<"$report"
}

launch() { # launch [--replace | --join]
  on_worker all "$TPU_TIMEOUT" bash adl/tpu_scripts/worker/job.sh start "$@" "${words[@]}"
}

delete() {
  mapfile -t where < <(place)
  cloud "$TPU_TIMEOUT" compute tpus queued-resources delete "$TPU_NAME" "${where[@]}" --force
}

create() {
  "$here/create.sh" --wait "${dry[@]}" ${option[valid-until]:+"--valid-until=${option[valid-until]}"}
}

setup() {
  "$here/setup.sh" "${dry[@]}"
}

# Whether the VMs themselves are gone, which the request may not know yet.
vanished() {
  local node
  mapfile -t where < <(place)
  node=$(cloud "$TPU_TIMEOUT" compute tpus tpu-vm describe "$TPU_NAME" "${where[@]}" '--format=value(state)') &&
    [[ $node =~ ^(PREEMPTED|TERMINATED)$ ]]
}

# One look at the TPU and its job, and what follows from it. 1: something failed that the next look may try again.
look() {
  local state
  state=$(queue_state ACTIVE) || return 1
  [[ $state == "$seen" ]] || say "$(date +%T) $TPU_NAME: $state"
  seen=$state
  case $state in
    ACTIVE) ;;
    FAILED) stop "$TPU_NAME: FAILED: see status.sh" 1 ;;
    SUSPENDED) # and its VMs gone
      delete && create
      return
      ;;
    NONE)
      create
      return
      ;;
    *) return 0 ;;
  esac
  if ! report=$(job status 2>"$scratch/ssh"); then # which talks a lot, of use only now
    cat "$scratch/ssh" >&2
    vanished && delete && create
    return
  fi
  if [[ $launched ]] && has "none|lost"; then again=yes; fi
  if [[ ! $launched || $again ]]; then
    # Workers that were not touched run on, or wait for the others: all begin together.
    if [[ $again ]]; then job stop || return; fi
    if [[ $again ]] || has "none: no setup"; then setup || return; fi
    if ! launch "$mode"; then
      if [[ $again ]]; then return 1; fi
      stop "the job did not start: the reasons are above" 1
    fi
    launched=yes again="" mode=--replace
  elif has failed; then
    stop "$(grep -E ': failed' <<<"$report" | head -n 1); other workers may still try: run.sh --stop" 1
  elif has stopped; then
    say "$TPU_NAME: stopped"
    exit 0
  elif ! grep -qvE '^worker [^:]+: done' <<<"$report"; then
    say "$TPU_NAME: done; it still costs: fetch.sh, then delete.sh"
    exit 0
  fi
}

keep_alive() {
  local seen="" launched="" again="" mode=${option[replace]:+--replace} missed=0
  mode=${mode:---join}
  while :; do
    if look; then missed=0; else
      ((++missed < 5)) || stop "five looks in a row went wrong: the reasons are above" 1
    fi
    sleep "$TPU_POLL"
  done
}

# shellcheck disable=SC2034 # parse reads it
verbatim=yes
parse "$capacity_flags --bucket= --replace --stop --keep-alive --yes" "$@"
require TPU_PROJECT TPU_ZONE TPU_NAME
dry=() report=""
if [[ ${option[dry-run]:-} ]]; then dry=(--dry-run); fi

if [[ ${option[stop]:-} ]]; then
  no_words
  job stop || stop "not every worker stopped: see status.sh" 1
  exit
fi

check_words
if [[ ${option[keep-alive]:-} ]]; then
  require TPU_PROJECT TPU_ZONE TPU_NAME TPU_TYPE
  [[ " ${words[*]}" =~ \ --workdir[=\ ]bucket/ ]] ||
    say "without --bucket NAME and --workdir bucket/RUN the run begins anew when the TPU was taken back"
  [[ ${option[yes]:-} ]] || stop "--keep-alive deletes a TPU that was taken back, to make it again: add --yes"
  if ((${#dry[@]})); then
    say "# to start, then every $TPU_POLL s to look:"
    launch --join
    queue_state ACTIVE >/dev/null
    job status
    say "# after a preemption:"
    delete && create && job stop && setup && launch --replace
    exit
  fi
  keep_alive
fi

report=$(job status) || stop "not every worker answered: see status.sh" 1
if has "none: no setup"; then stop "nothing is installed there: setup.sh first" 1; fi
if [[ -z ${option[replace]:-} ]] && has "starting|running|restarting"; then
  stop "a job is running ($(grep -E ': (starting|running|restarting)' <<<"$report" | head -n 1)); --replace or --stop" 1
fi
launch ${option[replace]:+--replace} || stop "not every worker started: see status.sh, then run.sh --stop" 1
