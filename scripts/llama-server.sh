#!/usr/bin/env bash
# Builds llama.cpp's own llama-server into the cache, once per version, and prints its path as the last line.
# Its source comes from PyPI's llama-cpp-python, whose source package carries the whole llama.cpp tree (77 MB; 3 to 4 minutes
# on two cores). Exit status 3 with the reason on stderr where it cannot be had.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

VERSION=0.3.36
DIR="$CACHE/llama-server-$VERSION"
BIN="$DIR/llama-server"

unavailable() { warn "llama-server: $*"; exit 3; }

if [ -x "$BIN" ]; then echo "$BIN"; exit 0; fi

if [ "${TIDEGATE_SKIP_LLAMA_BUILD:-}" = 1 ]; then unavailable "not in the cache, and TIDEGATE_SKIP_LLAMA_BUILD=1"; fi
have c++ || have g++ || apt_install g++ >&2 || unavailable "a C++ compiler is missing (Debian: apt-get install g++)"
venv=$(python_venv llama-build "$ROOT/tests/edge/requirements-build.txt") || unavailable "no python environment for cmake and ninja"
export PATH="$venv/bin:$PATH"

work="$CACHE/build/llama-$VERSION.$$"
mkdir -p "$work" "$DIR"
trap 'rm -rf "$work"' EXIT
cd "$work"
warn "llama-server $VERSION: downloading its source (77 MB)"
"$venv/bin/pip" download -q --disable-pip-version-check --no-deps --no-build-isolation --no-binary :all: "llama-cpp-python==$VERSION" >&2 \
  || unavailable "pip could not download llama-cpp-python $VERSION"
tar xzf "llama_cpp_python-$VERSION.tar.gz"
cd "llama_cpp_python-$VERSION/vendor/llama.cpp"
warn "llama-server $VERSION: building (3 to 4 minutes on two cores, once per machine)"
# GGML_NATIVE=OFF lets a cached binary run on another processor; -O1 halves the build, and speed is not what is tested.
{ nice cmake -G Ninja -B build -DCMAKE_BUILD_TYPE=Release -DBUILD_SHARED_LIBS=OFF -DGGML_NATIVE=OFF -DGGML_OPENMP=OFF \
    -DGGML_LLAMAFILE=OFF -DGGML_CCACHE=OFF -DLLAMA_OPENSSL=OFF -DLLAMA_CURL=OFF -DLLAMA_BUILD_UI=OFF -DLLAMA_BUILD_TESTS=OFF \
    -DLLAMA_BUILD_EXAMPLES=OFF -DCMAKE_CXX_FLAGS_RELEASE=-O1 -DCMAKE_C_FLAGS_RELEASE=-O2 &&
  nice ninja -C build -j"$(nproc)" llama-server; } >build.log 2>&1 \
  || { tail -20 build.log >&2; unavailable "the build failed (its last lines are above)"; }
# Moved at the end and in one step: a build that was cut short must not look like a finished one.
cp build/bin/llama-server "$DIR/.new.$$" && mv "$DIR/.new.$$" "$BIN"
warn "llama-server $VERSION: built into $BIN"
echo "$BIN"
