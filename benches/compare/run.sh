#!/usr/bin/env bash
# CPU per request of the gateway beside nginx and a bare pingora-proxy, before the same mock, in the same run.
#   benches/compare/run.sh [--quick] [OPTIONS of compare.py]       or: make bench ARGS=--quick
# Builds what it needs (release), has nginx from apt-get and oha in the cache folder; the measuring itself is compare.py.
set -euo pipefail
. "$(dirname "$0")/../../scripts/lib.sh"
cd "$ROOT"

have python3 || apt_install python3 || die "python3 is missing"
"$ROOT/scripts/setup.sh" build oha
export PATH="$PATH:/usr/sbin"
have nginx || apt_install nginx-light || warn "nginx is missing (Debian: apt-get install nginx-light): measured without it"
say "building the mock and the bare pingora-proxy"
nice cargo build --release --locked --quiet --manifest-path benches/compare/Cargo.toml </dev/null
if [ -z "${TIDEGATE_BIN:-}" ]; then
  say "building tidegate (release)"
  nice cargo build --release --locked --quiet --bin tidegate </dev/null
  TIDEGATE_BIN="$ROOT/target/release/tidegate"
fi
exec python3 benches/compare/compare.py --tidegate "$TIDEGATE_BIN" --built benches/compare/target/release "$@"
