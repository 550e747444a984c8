#!/usr/bin/env bash
# The official Python SDK through the gateway to two real llama-server nodes with a tiny model made here.
#   scripts/edge-tests.sh [--direct] [PYTEST-ARGS...]     --direct: the SDK against a bare node, to prove the tests themselves
set -euo pipefail
. "$(dirname "$0")/lib.sh"
. "$ROOT/scripts/gateway.sh"

NAME="llama-server tests"
if [ "${1:-}" = --direct ]; then export TIDEGATE_DIRECT=1; shift; fi
WORK=$(mktemp -d)
trap 'rm -rf "$WORK"' EXIT

# The reason is the builder's last word on stderr; it is shown as it comes and kept for the summary.
LLAMA_SERVER=$("$ROOT/scripts/llama-server.sh" 2> >(tee "$WORK/why" >&2)) || skip_suite "$NAME" "$(tail -1 "$WORK/why" | sed 's/^==> //')"
venv=$(python_venv edge "$ROOT/tests/edge/requirements.txt") || skip_suite "$NAME" "no python environment (reason above)"
TINY_MODEL="$CACHE/tiny-$(sha256sum "$ROOT/tests/edge/make_tiny_model.py" | cut -c1-12).gguf"
if [ ! -s "$TINY_MODEL" ]; then
  "$venv/bin/python" "$ROOT/tests/edge/make_tiny_model.py" "$TINY_MODEL.$$" >/dev/null && mv "$TINY_MODEL.$$" "$TINY_MODEL"
fi
if [ "${TIDEGATE_DIRECT:-}" != 1 ]; then TIDEGATE_BIN=$(gateway_binary) || die "the gateway does not build"; fi
export LLAMA_SERVER TINY_MODEL TIDEGATE_BIN

say "$NAME: $("$LLAMA_SERVER" --version 2>&1 | head -1)"
status=0
"$venv/bin/python" -m pytest -q -p no:cacheprovider --rootdir "$ROOT/tests/edge" "$ROOT/tests/edge" --junit-xml "$WORK/edge.xml" "$@" </dev/null || status=1
counts=$(junit_counts "$WORK/edge.xml") || { status=1; counts="0 1 0"; }
# shellcheck disable=SC2086
record "$NAME" $counts
exit $status
