# shellcheck shell=bash
# Sourced by every verb of this folder: its settings and flags, and gcloud, called with a time limit or only printed.

if ((BASH_VERSINFO[0] * 100 + BASH_VERSINFO[1] < 404)); then
  echo "${0##*/}: bash 4.4 or later is needed, this is $BASH_VERSION (macOS: brew install bash)" >&2
  exit 2
fi
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck disable=SC2034 # the verbs read it
root=$(dirname "$here")
limiter=$(command -v timeout || command -v gtimeout || true) # macOS has it only with coreutils
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
exec 3>&1 # where --dry-run prints, also from inside $(...)

names=(TPU_PROJECT TPU_ZONE TPU_NAME TPU_TYPE TPU_CAPACITY TPU_RUNTIME TPU_BUCKET TPU_CREATE_FLAGS)
names+=(TPU_TIMEOUT TPU_SETUP_TIMEOUT TPU_POLL)
# shellcheck disable=SC2034 # those that make a TPU read it
capacity_flags="--type= --runtime= --spot --on-demand --valid-until="
declare -A option=() # flags that are no settings: option[wait]=yes
words=()             # what is left of the command line

stop() { # stop MESSAGE [EXIT CODE]
  printf '%s: %s\n' "${0##*/}" "$1" >&2
  exit "${2:-2}"
}

say() {
  printf '%s\n' "$*" >&2
}

# The words so that a shell reads them back as they are.
quoted() {
  local word out=()
  for word; do
    if [[ $word =~ ^[A-Za-z0-9_./:=@%+,-]+$ ]]; then out+=("$word"); else out+=("${word@Q}"); fi
  done
  printf '%s' "${out[*]}"
}

# "; did you mean X?" for the candidate that is the fewest edits away, if that is at most a third of the word.
did_you_mean() { # did_you_mean WORD CANDIDATE...
  printf '%s\n' "$@" | awk '
    function least(a, b, c) { return a < b ? (a < c ? a : c) : (b < c ? b : c) }
    NR == 1 { word = $0; m = length(word); best = m / 3; next }
    {
      n = length($0)
      for (j = 0; j <= n; j++) d[0, j] = j
      for (i = 1; i <= m; i++) {
        d[i, 0] = i
        for (j = 1; j <= n; j++) {
          swap = d[i - 1, j - 1] + (substr(word, i, 1) != substr($0, j, 1))
          d[i, j] = least(d[i - 1, j] + 1, d[i, j - 1] + 1, swap)
        }
      }
      if (d[m, n] <= best) { best = d[m, n]; found = $0 }
    }
    END { if (found) printf "; did you mean %s?", found }'
}

# Settings that neither a flag nor the environment gives.
read_settings() {
  local line
  while IFS= read -r line || [[ $line ]]; do
    [[ $line =~ ^[[:space:]]*(#|$) ]] && continue
    [[ $line =~ ^([A-Z_]+)=(.*)$ ]] || stop "settings.env: not NAME=VALUE: $line"
    local name=${BASH_REMATCH[1]} value=${BASH_REMATCH[2]}
    [[ " ${names[*]} " == *" $name "* ]] ||
      stop "settings.env: no setting $name$(did_you_mean "$name" "${names[@]}")"
    [[ -v $name ]] || printf -v "$name" '%s' "$value"
  done <"$here/settings.env"
  for name in "${names[@]}"; do
    [[ -v $name ]] || printf -v "$name" '%s' ""
    # shellcheck disable=SC2163 # the variable that it names
    export "$name" # a verb may call another
  done
  for name in TPU_TIMEOUT TPU_SETUP_TIMEOUT TPU_POLL; do
    [[ ${!name} =~ ^[0-9]+(\.[0-9]+)?$ ]] || stop "$name=${!name}: it must be seconds"
  done
}

# The comment at the head of the verb, and what all verbs take.
show_help() {
  sed -n '2,/^$/{s/^# \{0,1\}//p;}' "$0"
  cat <<'HELP'

All verbs:
  --name NAME --project PROJECT --zone ZONE   instead of tpu_scripts/settings.env or TPU_NAME, TPU_PROJECT, TPU_ZONE
  --dry-run                                   print the gcloud commands, run none
  --help
HELP
  exit 0
}

# parse FLAGS "$@": `--flag=` in FLAGS takes a value, `--flag` takes none. With verbatim=yes the first other word ends
# the flags: all that follows belongs to somebody else.
parse() {
  local accepted="--name= --project= --zone= --dry-run --help $1" flag value
  shift
  while (($#)); do
    flag=${1%%=*}
    case $1 in
      -h | --help) show_help ;;
      --?*)
        if [[ " $accepted " == *" $flag= "* ]]; then
          if [[ $1 == *=* ]]; then
            value=${1#*=}
          else
            value=${2:-}
            [[ $value == --* ]] && value=
            [[ $value ]] && shift
          fi
          [[ $value ]] || stop "$flag: it needs a value"
          keep "$flag" "$value"
        elif [[ " $accepted " == *" $1 "* ]]; then
          keep "$flag" yes
        else
          # shellcheck disable=SC2086 # a list of flags
          stop "no flag $flag$(did_you_mean "$flag" ${accepted//=/})"
        fi
        ;;
      *)
        [[ ${verbatim:-} ]] && break
        words+=("$1")
        ;;
    esac
    shift
  done
  words+=("$@")
  read_settings
}

# shellcheck disable=SC2034 # TPU_CAPACITY: a setting
keep() { # keep FLAG VALUE
  local name=${1#--}
  case $1 in
    --name | --project | --zone | --type | --runtime | --bucket) printf -v "TPU_${name^^}" '%s' "$2" ;;
    --spot | --on-demand) TPU_CAPACITY=$name ;;
    *) option[$name]=$2 ;;
  esac
}

# One line for all settings that are missing; one for the first that cannot be right.
require() { # require NAME...
  local name missing=()
  for name; do
    [[ ${!name} ]] || missing+=("$name")
  done
  ((${#missing[@]} == 0)) ||
    stop "missing: ${missing[*]}; set them in tpu_scripts/settings.env, in the environment, or by flags (--zone ...)"
  [[ $TPU_NAME =~ ^[a-z]([a-z0-9-]{0,61}[a-z0-9])?$ ]] ||
    stop "--name $TPU_NAME: it must be lower-case letters, digits and hyphens, a letter first"
  [[ $TPU_ZONE =~ ^[a-z]+-[a-z]+[0-9]+-[a-z0-9]+$ ]] || stop "--zone $TPU_ZONE: a zone looks like us-central2-b"
  [[ $TPU_BUCKET =~ ^[a-z0-9._-]*$ ]] || stop "--bucket $TPU_BUCKET: it must be the bucket's name alone, without gs://"
}

no_words() {
  ((${#words[@]} == 0)) || stop "what is '${words[0]}'? ${0##*/} takes flags only; see --help"
}

# gcloud WORD... within SECONDS (0: no limit); its exit code, 124 after the time. --dry-run prints it instead.
cloud() { # cloud SECONDS WORD...
  local limit=$1 pid code=0
  shift
  if [[ ${option[dry-run]:-} ]]; then
    printf 'gcloud %s\n' "$(quoted "$@")" >&3
    return 0
  fi
  command -v gcloud >/dev/null || stop "no gcloud here: https://cloud.google.com/sdk/docs/install"
  if [[ -z $limiter || $limit == 0 ]]; then
    gcloud "$@" </dev/null
    return
  fi
  # In the background, so that Ctrl-C ends gcloud and all that it started.
  "$limiter" --kill-after=10 "$limit" gcloud "$@" </dev/null &
  pid=$!
  trap 'kill "$pid" 2>/dev/null; exit 130' INT TERM
  wait "$pid" || code=$?
  trap - INT TERM
  if ((code == 124 || code == 137)); then
    say "${0##*/}: gcloud ${*:1:4} gave no answer within $limit s"
    return 124
  fi
  return "$code"
}

place() { # the flags that say where
  printf -- '--project=%s\n--zone=%s\n--quiet\n' "$TPU_PROJECT" "$TPU_ZONE"
}

# State of the queued resource, NONE where there is none; under --dry-run ASSUMED.
queue_state() { # queue_state ASSUMED
  local code=0
  mapfile -t where < <(place)
  cloud "$TPU_TIMEOUT" compute tpus queued-resources describe "$TPU_NAME" "${where[@]}" '--format=value(state.state)' \
    2>"$scratch/errors" >"$scratch/state" || code=$?
  if [[ ${option[dry-run]:-} ]]; then
    echo "$1"
  elif ((code == 0)); then
    cat "$scratch/state"
  elif grep -qiE 'not_found|not found' "$scratch/errors"; then
    echo NONE
  else
    cat "$scratch/errors" >&2
    return "$code"
  fi
}

# Runs words in a shell on WORKER (a number or all), their output as it is; their exit code.
on_worker() { # on_worker WORKER SECONDS WORD...
  local worker=$1 limit=$2
  shift 2
  mapfile -t where < <(place)
  cloud "$limit" compute tpus tpu-vm ssh "$TPU_NAME" "${where[@]}" "--worker=$worker" "--command=$(quoted "$@")"
}

# Status or stop of the job, a line from each worker; from a shell, since before setup.sh there is no job.sh to ask.
job() { # job status | stop
  # shellcheck disable=SC2016 # the worker expands it
  on_worker all "$TPU_TIMEOUT" bash -c \
    'cd adl/tpu_scripts/worker 2>&- && exec bash job.sh "$1"; echo "worker ${HOSTNAME##*-w-}: none: no setup yet"' \
    job "$1"
}
