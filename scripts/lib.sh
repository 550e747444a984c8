# shellcheck shell=bash
# What every script here shares: the cache folder, how things are said, how a missing tool is had.
# What a reader could get wrong: nothing is installed outside the cache folder unless apt-get is at hand and we are (or may
# become) root; a suite that cannot run says SKIPPED with its reason and is counted, it never passes silently.

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# Heavy things (llama-server, python and node packages, cargo tools) live here, keyed by version, shared by all checkouts.
CACHE=${TIDEGATE_CACHE:-$HOME/.cache/tidegate}
mkdir -p "$CACHE/bin"
export PATH="$CACHE/bin:$HOME/.cargo/bin:$PATH"
# Suites append "name passed failed skipped note" here; test.sh prints the table.
RESULTS=${TIDEGATE_RESULTS:-}

say() { printf '==> %s\n' "$*"; }
warn() { printf '==> %s\n' "$*" >&2; }
die() { warn "$*"; exit 1; }
have() { command -v "$1" >/dev/null 2>&1; }

# record SUITE PASSED FAILED SKIPPED [NOTE]
record() {
  if [ -n "$RESULTS" ]; then printf '%s\t%s\t%s\t%s\t%s\n' "$1" "$2" "$3" "$4" "${5:-}" >>"$RESULTS"; fi
}

# skip_suite SUITE REASON: says it, counts it, and ends the script in peace.
skip_suite() {
  printf '\nSKIPPED: %s: %s\n\n' "$1" "$2"
  record "$1" 0 0 1 "$2"
  exit 0
}

# Runs a command as root, where that needs no password.
as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"; elif have sudo && sudo -n true 2>/dev/null; then sudo -n "$@"; else return 1; fi
}

# apt_install PACKAGE...: true if they are installed afterwards.
apt_install() {
  have apt-get || return 1
  as_root true 2>/dev/null || return 1
  say "installing $* with apt-get"
  local quiet=(-qq -o Dpkg::Use-Pty=0)
  as_root env DEBIAN_FRONTEND=noninteractive apt-get "${quiet[@]}" install -y --no-install-recommends "$@" >/dev/null 2>&1 && return 0
  as_root env DEBIAN_FRONTEND=noninteractive apt-get "${quiet[@]}" update >/dev/null 2>&1 || true
  as_root env DEBIAN_FRONTEND=noninteractive apt-get "${quiet[@]}" install -y --no-install-recommends "$@" >/dev/null
}

# python_venv NAME REQUIREMENTS: makes $CACHE/venv/NAME-HASH with the pinned packages, once, and prints its path.
# Fails (with the reason on stderr) where it cannot.
python_venv() {
  local name=$1 requirements=$2 key dir
  have python3 || apt_install python3 >&2 || { warn "python3 is missing"; return 1; }
  key=$( (python3 --version; cat "$requirements") | sha256sum | cut -c1-12)
  dir="$CACHE/venv/$name-$key"
  if [ ! -e "$dir/.done" ]; then
    # Debian splits ensurepip away from python3.
    python3 -c 'import ensurepip, venv' 2>/dev/null || apt_install python3-venv >&2 \
      || { warn "python3 has no venv module (Debian: apt-get install python3-venv)"; return 1; }
    warn "making a python environment for $name in $dir"
    rm -rf "$dir"
    { python3 -m venv "$dir" && "$dir/bin/pip" install -q --disable-pip-version-check -r "$requirements"; } >&2 \
      || { warn "pip could not install $(basename "$requirements")"; return 1; }
    touch "$dir/.done"
  fi
  printf '%s\n' "$dir"
}

# Waits until LINES of a file match PATTERN, or the process dies, or SECONDS are over.
wait_for_line() {
  local file=$1 pattern=$2 pid=$3 seconds=${4:-30} tick
  for ((tick = 0; tick < seconds * 20; tick++)); do
    grep -q -- "$pattern" "$file" 2>/dev/null && return 0
    kill -0 "$pid" 2>/dev/null || return 1
    sleep 0.05
  done
  return 1
}

# junit_counts FILE: "passed failed skipped" of a pytest run.
junit_counts() {
  python3 - "$1" <<'PY'
import sys, xml.etree.ElementTree as tree
s = tree.parse(sys.argv[1]).getroot().find("testsuite")
total, failed, skipped = int(s.get("tests")), int(s.get("failures")) + int(s.get("errors")), int(s.get("skipped"))
print(total - failed - skipped, failed, skipped)
PY
}
