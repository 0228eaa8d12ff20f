#!/usr/bin/env bash
# On a worker: the one job that its TPU chips have room for, and the supervisor that restarts it.
#
#   job.sh start [--replace | --join] experiments.NAME FLAG...
#   job.sh stop | status | busy
#   job.sh log LINES [--follow] [--named]
#
# The supervisor holds runs/.job/lock for as long as it lives, so whether a job runs is never a guess. Beside it lie
# command, state, pid (of the supervisor) and child (of the experiment). An experiment that exits with 75 (saved, to be
# restarted) or dies of a signal is started again; 0 is done; any other code is a failure that a restart would repeat.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

job=runs/.job
worker=${HOSTNAME##*-w-}
quick=${ADL_QUICK_SECONDS:-60}        # an exit within so many seconds is quick
max_quick=${ADL_MAX_QUICK:-5}         # so many quick exits in a row, and the supervisor gives up
first_wait=${ADL_FIRST_WAIT:-1}     # seconds before a restart, doubled by each quick exit
longest_wait=${ADL_LONGEST_WAIT:-60} # up to so many
grace=${ADL_GRACE:-120}               # seconds to save after a stop
mkdir -p "$job"

say() {
  printf 'worker %s: %s\n' "$worker" "$*"
}

put() { # put FILE TEXT: whole or not at all
  printf '%s\n' "$2" >"$job/$1.new"
  mv "$job/$1.new" "$job/$1"
}

get() {
  cat "$job/$1" 2>/dev/null || true
}

busy() {
  ! (flock -n 8) 8>"$job/lock"
}

start() {
  local mode="" command
  case $1 in
    --replace | --join) mode=$1 && shift ;;
  esac
  if [[ ! -x .venv/bin/python ]]; then
    say "nothing is installed: setup.sh first"
    return 1
  fi
  command=$(printf '%q ' "$@")
  command=${command% }
  if [[ $mode == --join && $(get command) == "$command" ]] && busy; then
    say "runs already: $command"
    return
  fi
  if busy && [[ $mode == --replace ]]; then stop; fi
  exec 9>"$job/lock"
  if ! flock -n 9; then
    say "a job is running: $(get command); --replace stops it first, run.sh --stop stops it"
    return 3
  fi
  rm -f "$job/stop" "$job/child"
  put command "$command"
  put log "runs/${1#experiments.}.log"
  put state starting
  # The lock (9) goes over to the supervisor, which is in a session of its own: the end of ssh does not concern it.
  setsid nohup bash tpu_scripts/worker/job.sh supervise "$@" >>"$(get log)" 2>&1 </dev/null &
  put pid "$!"
  # Not before it is there: until then the end of ssh may take it along.
  for ((tenth = 0; tenth < 100; tenth++)); do
    if [[ $(get state) != starting ]]; then
      say "started: $command"
      return
    fi
    sleep 0.1
  done
  say "the supervisor did not start: $(tail -n 1 "$(get log)")"
  return 1
}

supervise() {
  local code child began lived wait=$first_wait restarts=0 in_a_row=0
  # At a shutdown every process gets the signal; handing it on would make it the experiment's second, which ends it
  # before it has saved. So the supervisor only takes note.
  local ending=""
  trap 'ending=yes' TERM INT
  while [[ -z $ending && ! -e $job/stop ]]; do
    note "start $(get command)"
    began=$SECONDS
    # Without the lock: what an experiment leaves behind must not look like a running job.
    PYTHONUNBUFFERED=1 setpriv --pdeathsig TERM .venv/bin/python -m "$@" 9>&- &
    child=$!
    put child "$child"
    put state "running, $restarts restarts"
    while :; do # a noted signal ends the wait, not the experiment
      code=0
      wait "$child" || code=$?
      kill -0 "$child" 2>/dev/null || break
    done
    rm -f "$job/child"
    lived=$((SECONDS - began))
    note "exit $code after $lived s"
    case $code in
      0)
        put state "done"
        return
        ;;
      75 | 129 | 13? | 14? | 15?) ;;
      *)
        put state "failed: exit $code: $(last_line)"
        return
        ;;
    esac
    [[ -z $ending && ! -e $job/stop ]] || break
    if ((lived < quick)); then in_a_row=$((in_a_row + 1)); else in_a_row=0 wait=$first_wait; fi
    if ((in_a_row >= max_quick)); then
      put state "failed: gave up after $in_a_row exits within $quick s each, the last with $code"
      return
    fi
    restarts=$((restarts + 1))
    put state "restarting in $wait s after exit $code, $restarts restarts"
    sleep "$wait" 9>&- &
    wait "$!" || true
    wait=$((wait * 2 < longest_wait ? wait * 2 : longest_wait))
  done
  if [[ -e $job/stop ]]; then put state stopped; else put state "interrupted by a shutdown"; fi
}

note() {
  printf -- '-- %s worker %s: %s\n' "$(date +%FT%T)" "$worker" "$*"
}

# What the experiment said last, without the notes of this script.
last_line() {
  grep -v '^-- ' "$(get log)" | tail -n 1
}

stop() {
  local told="" child
  if ! busy; then
    say "nothing is running"
    return
  fi
  : >"$job/stop"
  for ((tenth = 0; tenth < grace * 10; tenth++)); do
    child=$(get child)
    if [[ $child && $child != "$told" ]]; then # once to each: the second signal would not let it save
      kill -TERM "$child" 2>/dev/null || true
      told=$child
    fi
    if [[ -z $child ]]; then kill -TERM "$(get pid)" 2>/dev/null || true; fi # out of its wait
    if ! busy; then
      say "stopped"
      return
    fi
    sleep 0.1
  done
  kill -KILL -- "-$(get pid)" 2>/dev/null || true
  put state stopped
  say "killed: it did not end within $grace s"
}

status() {
  local state
  state=$(get state)
  if [[ -z $state ]]; then
    say "none: no job yet"
    return
  fi
  if ! busy; then
    case $state in
      "done" | failed* | stopped) ;;
      *) state="lost ($state)" ;;
    esac
  fi
  say "$state: $(get command)"
}

log() {
  local lines=$1 tail_flags=() name=""
  shift
  for flag; do
    case $flag in
      --follow) tail_flags=(-F "--pid=$(get pid)") ;;
      --named) name="worker $worker: " ;;
    esac
  done
  if [[ ! -e $(get log) ]]; then
    say "no log yet"
    return 1
  fi
  tail -n "$lines" "${tail_flags[@]}" "$(get log)" | sed -u "s/^/$name/"
}

case ${1:-} in
  start | supervise | stop | status | busy | log) "$@" ;;
  *)
    say "job.sh: no verb '${1:-}'"
    exit 2
    ;;
esac
