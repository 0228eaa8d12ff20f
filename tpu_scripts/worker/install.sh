#!/usr/bin/env bash
# On a worker: puts ~/adl.tar.gz into ~/adl, makes its environment, mounts the bucket. One line says how it went.
#
#   install.sh [BUCKET]
set -euo pipefail
export LC_ALL=C PIP_DISABLE_PIP_VERSION_CHECK=1

worker=${HOSTNAME##*-w-}

fail() {
  printf 'worker %s: %s\n' "$worker" "$1"
  exit 1
}

# Runs words with their output in the log; fails with the log's last line.
logged() {
  "$@" >>runs/setup.log 2>&1 || fail "$* failed: $(tail -n 1 runs/setup.log); all of it: ~/adl/runs/setup.log"
}

# Files of the last setup that the checkout no longer has go; runs, the environment and the worker's own files stay.
unpack() {
  tar -tzf ../adl.tar.gz | sort >.setup-files.new
  if [[ -e .setup-files ]]; then
    comm -23 .setup-files .setup-files.new | while IFS= read -r file; do rm -f -- "$file"; done
  fi
  tar -xzf ../adl.tar.gz
  mv .setup-files.new .setup-files
}

# The VM images of most generations have Python 3.10; uv brings a later one.
environment() {
  local python
  if [[ -x .venv/bin/python ]] && recent .venv/bin/python; then return; fi
  for python in python3.13 python3.12 python3.11 python3; do
    recent "$python" || continue
    if "$python" -m venv --clear .venv >>runs/setup.log 2>&1; then return; fi
  done
  if ! command -v uv >/dev/null; then
    logged python3 -m pip install --user uv
    PATH=$HOME/.local/bin:$PATH
  fi
  rm -rf .venv
  logged uv venv --seed --python 3.12 .venv
  recent .venv/bin/python || fail "no Python 3.11 or later, and uv brought none"
}

recent() {
  "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null
}

# Checkpoints are renamed as folders when they are complete, and hosts must see each other's files at once.
mount_bucket() {
  mkdir -p bucket
  mountpoint -q bucket && return
  command -v gcsfuse >/dev/null ||
    fail "no gcsfuse for --bucket $1: https://cloud.google.com/storage/docs/cloud-storage-fuse/install"
  local fresh=(--stat-cache-ttl=0 --type-cache-ttl=0)
  if gcsfuse --help 2>&1 | grep -q metadata-cache-ttl-secs; then fresh=(--metadata-cache-ttl-secs=0); fi
  logged gcsfuse --implicit-dirs --rename-dir-limit=100000 "${fresh[@]}" "$1" bucket
}

# A function, so that bash has read all of it before anything else reads the standard input.
main() {
  mkdir -p "$HOME/adl/runs"
  cd "$HOME/adl"
  if [[ -e tpu_scripts/worker/job.sh ]] && bash tpu_scripts/worker/job.sh busy; then
    fail "a job is running; run.sh --stop first"
  fi
  : >runs/setup.log
  unpack
  environment
  logged .venv/bin/python -m pip install -e '.[tpu]'
  if [[ ${1:-} ]]; then mount_bucket "$1"; fi
  logged .venv/bin/python -c 'import adl, jax, sys; print(f"Python {sys.version.split()[0]}, jax {jax.__version__}")'
  printf 'worker %s: ready: %s\n' "$worker" "$(tail -n 1 runs/setup.log)"
}

main "$@" </dev/null
