#!/usr/bin/env bash
# Makes sure that what a build or a test needs is there, saying what it installs; says exactly what is missing where it cannot.
#   scripts/setup.sh build     rust toolchain, C compiler, cmake (pingora-core builds zlib-ng with it)
#   scripts/setup.sh postgres  a Postgres server, for the ledger's tests (they are skipped without it)
#   scripts/setup.sh redis     a Redis server, for the shared cache's tests (they are skipped without it)
#   scripts/setup.sh fuzz      besides: a C++ compiler (libFuzzer)
#   scripts/setup.sh deny      cargo-deny into the cache folder
#   scripts/setup.sh oha       oha into the cache folder
set -euo pipefail
. "$(dirname "$0")/lib.sh"

# Versions that this tree was tried with.
CARGO_DENY=0.20.2
OHA=1.16.0

need_rust() { have cargo || die "cargo is missing: install the Rust toolchain with rustup (see README.md)"; }

need_cc() {
  have cc || apt_install gcc libc6-dev || die "a C compiler is missing (Debian: apt-get install build-essential)"
}

need_cxx() {
  have c++ || have g++ || apt_install g++ || die "a C++ compiler is missing (Debian: apt-get install g++)"
}

need_cmake() {
  have cmake && return
  apt_install cmake && return
  say "cmake is missing and apt-get is not at hand: installing it with pip into $CACHE"
  local venv
  venv=$(python_venv cmake "$ROOT/scripts/requirements-cmake.txt") \
    || die "cmake is missing, zlib-ng (in pingora-core) needs it (Debian: apt-get install cmake)"
  ln -sf "$venv/bin/cmake" "$CACHE/bin/cmake"
}

# Debian keeps the server's programs out of the PATH. The package starts a server of its own, which no test uses.
need_postgres() {
  compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null || have initdb || apt_install postgresql \
    || die "no Postgres server on this machine (Debian: apt-get install postgresql)"
}

# The package starts a server of its own, which no test uses.
need_redis() {
  have redis-server || have valkey-server || apt_install redis-server \
    || die "no Redis server on this machine (Debian: apt-get install redis-server)"
}

# cargo_tool NAME VERSION: a cargo tool in the cache folder, once.
cargo_tool() {
  local name=$1 version=$2
  have "$name" && return
  need_rust && need_cc
  say "installing $name $version into $CACHE (some minutes, once per machine)"
  nice cargo install --quiet --locked --root "$CACHE" --target-dir "$CACHE/build/$name" "$name@$version" </dev/null
  rm -rf "$CACHE/build/$name"
}

for what in "${@:-build}"; do
  case "$what" in
    build) need_rust; need_cc; need_cmake ;;
    postgres) need_postgres ;;
    redis) need_redis ;;
    fuzz) need_rust; need_cc; need_cxx; need_cmake ;;
    deny) cargo_tool cargo-deny "$CARGO_DENY" ;;
    oha) need_cmake; cargo_tool oha "$OHA" ;;
    *) die "unknown: $what (build, postgres, redis, fuzz, deny or oha)" ;;
  esac
done
