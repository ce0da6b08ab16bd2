#!/usr/bin/env bash
# ./run.sh -n 7 -k 3: installs and builds what is missing or old, then launches a cluster in the foreground.
# Options go untouched to `gtstore start`; ./run.sh --help lists them.
set -euo pipefail

fail() {
  printf 'run.sh: %s\n' "$1" >&2
  exit 2
}

# The checkout this script lies in, also when called through a symlink or from elsewhere.
self=${BASH_SOURCE[0]}
while [ -L "$self" ]; do
  link=$(readlink -- "$self")
  case $link in
    /*) self=$link ;;
    *) self=$(dirname -- "$self")/$link ;;
  esac
done
root=$(cd -P -- "$(dirname -- "$self")" && pwd)

command -v node >/dev/null || fail 'Node.js 20.19 or newer is needed and no node was found; see https://nodejs.org'
version=$(node --version)
IFS=. read -r major minor _ <<<"${version#v}"
if [ "$major" -lt 20 ] || { [ "$major" -eq 20 ] && [ "$minor" -lt 19 ]; }; then
  fail "Node.js 20.19 or newer is needed, this is ${version#v}; see https://nodejs.org"
fi

installed() {
  [ -f "$root/node_modules/.package-lock.json" ] &&
    [ ! "$root/package-lock.json" -nt "$root/node_modules/.package-lock.json" ]
}

# The build leaves a stamp that carries the time at which it began. Folders count, too: a deleted file touches its folder.
built() {
  [ -f "$root/dist/.built" ] && [ -f "$root/dist/cli/main.js" ] &&
    [ -z "$(find "$root/src" "$root/package.json" "$root/tsconfig.json" "$root/tsconfig.build.json" \
      -newer "$root/dist/.built" -print 2>/dev/null)" ]
}

# Runs a command in the checkout; its output is shown only if it fails.
quietly() {
  local what=$1 log
  shift
  log=$(mktemp)
  printf 'run.sh: %s ...\n' "$what" >&2
  if ! (cd -- "$root" && "$@") >"$log" 2>&1 </dev/null; then
    cat -- "$log" >&2
    rm -f -- "$log"
    printf 'run.sh: %s failed, see above\n' "$what" >&2
    exit 1
  fi
  rm -f -- "$log"
}

prepare() {
  # Asked again, since whoever held the lock before us may have done it.
  installed || quietly 'installing dependencies' npm ci --include=dev --no-audit --no-fund
  built || quietly 'building' npm run build
}

# Two terminals at once: one prepares, the other waits for it. The lock ends with the process that holds it.
prepare_alone() {
  command -v npm >/dev/null || fail 'npm is needed to install and build and was not found; see https://nodejs.org'
  if command -v flock >/dev/null; then
    (
      if ! flock -n 9; then
        printf 'run.sh: waiting for another run.sh that is installing or building ...\n' >&2
        flock 9
      fi
      prepare
    ) 9>"$root/.run.lock" || exit $?
    return
  fi
  take_lock
  trap 'rm -f -- "$lock"' EXIT
  prepare
  rm -f -- "$lock"
  trap - EXIT
}

# Where there is no flock: a link that names its holder. It is made at once and as a whole, or not at all.
lock=$root/.run.lock.link

# The process that holds a link; nothing if there is none.
holder_of() {
  local target
  target=$(readlink -- "$1" 2>/dev/null) && printf '%s' "${target#run.sh-}"
}

# Known to have ended. Of another user's process kill says only that it may not be signalled.
has_ended() {
  [ -n "$1" ] && ! kill -0 "$1" 2>/dev/null && ! ps -p "$1" >/dev/null 2>&1
}

take_lock() {
  local holder is_told= nobody=0
  until ln -s -- "run.sh-$$" "$lock" 2>/dev/null; do
    holder=$(holder_of "$lock") || holder=
    if [ -z "$holder" ]; then
      [ -w "$root" ] || fail "$root cannot be written, so nothing can be installed or built there"
      # A lock that has just gone is no reason to give up; where there are no links, one waits for nobody.
      nobody=$((nobody + 1))
      [ "$nobody" -lt 25 ] || fail "no lock can be made: install flock, or run npm ci and npm run build by hand; $(ln -s -- "run.sh-$$" "$lock" 2>&1)"
    elif has_ended "$holder"; then
      break_lock
    elif [ -z "$is_told" ]; then
      is_told=1
      printf 'run.sh: waiting for another run.sh (process %s) that is installing or building; if that is none, remove %s\n' \
        "$holder" "$lock" >&2
    fi
    sleep 0.2
  done
}

# One waiter at a time looks again whether the holder has ended, and removes its lock: another's, taken meanwhile, stays.
break_lock() {
  if ln -s -- "run.sh-$$" "$lock.break" 2>/dev/null; then
    if has_ended "$(holder_of "$lock")"; then rm -f -- "$lock"; fi
    rm -f -- "$lock.break"
  elif has_ended "$(holder_of "$lock.break")"; then
    rm -f -- "$lock.break"
  fi
}

if ! installed || ! built; then prepare_alone; fi

# Supervised: a manager that crashes is started again, and finds its nodes.
exec node "$root/dist/cli/main.js" start --supervise "$@"
