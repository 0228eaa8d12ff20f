#!/usr/bin/env bash
# Installs this checkout on every worker: all files that git does not ignore, in ~/adl, with a Python 3.11 or later of
# its own and JAX for TPU. Again after a change: the changes only.
#
#   setup.sh [--bucket NAME]
#
#   --bucket  mount this bucket on every worker as ~/adl/bucket: runs in `--workdir bucket/RUN` outlive the TPU

# shellcheck source=settings.sh
source "$(dirname "${BASH_SOURCE[0]}")/settings.sh"

# The files of the checkout, without those that git knows and that are gone.
files() {
  local file
  git -C "$root" ls-files -coz --exclude-standard | while IFS= read -rd '' file; do
    if [[ -e $root/$file || -L $root/$file ]]; then printf '%s\0' "$file"; fi
  done
}

parse "--bucket=" "$@"
no_words
require TPU_PROJECT TPU_ZONE TPU_NAME
if [[ ${option[dry-run]:-} ]]; then
  archive=${TMPDIR:-/tmp}/adl.tar.gz
  printf '(cd %s && git ls-files -coz --exclude-standard | tar --null -T - -czf %s)\n' \
    "$(quoted "$root")" "$(quoted "$archive")"
else
  archive=$scratch/adl.tar.gz
  git -C "$root" rev-parse --git-dir >/dev/null 2>&1 || stop "$root is no git checkout: no list of its files"
  files | tar -C "$root" --null -T - -czf "$archive"
  say "$TPU_NAME: copying $(du -k "$archive" | cut -f 1) kB to every worker, then installing (minutes)"
fi
mapfile -t where < <(place)
cloud "$TPU_TIMEOUT" compute tpus tpu-vm scp "$archive" "$TPU_NAME:adl.tar.gz" "${where[@]}" --worker=all ||
  stop "the checkout was not copied: gcloud's own words are above" 1
# The installer comes out of the archive: on a new worker there is nothing else yet.
# shellcheck disable=SC2016 # the worker expands it
unpack='set -o pipefail; tar -xzOf adl.tar.gz tpu_scripts/worker/install.sh | bash -s -- "$@"'
on_worker all "$TPU_SETUP_TIMEOUT" bash -c "$unpack" install "$TPU_BUCKET" ||
  stop "not every worker is ready: the reasons are above" 1
