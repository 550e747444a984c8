#!/usr/bin/env bash
# The official OpenAI SDKs (Python 2.x and 3.x, Node) against the real gateway, which stands before simulated providers.
#   scripts/sdk-tests.sh [--direct] [PYTEST-ARGS...]     --direct: SDKs against the bare mock, to prove the tests themselves
set -euo pipefail
. "$(dirname "$0")/lib.sh"
. "$ROOT/scripts/gateway.sh"

if [ "${1:-}" = --direct ]; then export TIDEGATE_DIRECT=1; shift; fi
have python3 || apt_install python3 || skip_suite "SDK tests" "python3 is missing"

WORK=$(mktemp -d)
trap 'stop_all; rm -rf "$WORK"' EXIT
export TIDEGATE_TEST_DATA="$WORK/data"

python3 "$ROOT/tests/sdk/mock_provider.py" alpha beta azure edge >"$WORK/mock.json" &
PIDS+=($!)
wait_for_line "$WORK/mock.json" control "${PIDS[0]}" || die "the simulated provider did not start"
mock_url() { python3 -c 'import json, sys; print(json.load(open(sys.argv[1]))[sys.argv[2]])' "$WORK/mock.json" "$1"; }
for name in alpha beta azure edge control; do export "MOCK_${name^^}_URL=$(mock_url "$name")"; done
DEAD_URL="http://127.0.0.1:$(closed_port)"
export DEAD_URL

if [ "${TIDEGATE_DIRECT:-}" = 1 ]; then
  export TIDEGATE_URL=$MOCK_ALPHA_URL
else
  start_gateway "$ROOT/tests/sdk/tenants.yaml" "$WORK/tenants.log"
  export TIDEGATE_TENANTS_URL=$TIDEGATE_URL
  start_gateway "$ROOT/tests/sdk/cache.yaml" "$WORK/cache.log"
  export TIDEGATE_CACHE_URL=$TIDEGATE_URL
  start_gateway "$ROOT/tests/sdk/deferred.yaml" "$WORK/deferred.log"
  export TIDEGATE_DEFERRED_URL=$TIDEGATE_URL
  start_gateway "$ROOT/tests/sdk/gateway.yaml" "$WORK/gateway.log"
fi

failed=0

# python_suite NAME REQUIREMENTS
python_suite() {
  local name=$1 requirements=$2 venv counts
  shift 2
  venv=$(python_venv sdk "$ROOT/tests/sdk/python/$requirements") || { (skip_suite "$name" "no python environment (reason above)"); return 0; }
  say "$name: $("$venv/bin/pip" list 2>/dev/null | awk '$1 == "openai" {print $1, $2}')"
  "$venv/bin/python" -m pytest -q -p no:cacheprovider --rootdir "$ROOT/tests/sdk/python" "$ROOT/tests/sdk/python" \
    --junit-xml "$WORK/$name.xml" "$@" </dev/null || failed=1
  counts=$(junit_counts "$WORK/$name.xml") || { failed=1; counts="0 1 0"; }
  # shellcheck disable=SC2086
  record "$name" $counts
}

node_suite() {
  local name=sdk-node dir counts
  { have node && have npm; } || apt_install nodejs npm || { (skip_suite "$name" "node and npm are missing"); return 0; }
  [ "$(node -p 'process.versions.node.split(".")[0] >= 18')" = true ] \
    || { (skip_suite "$name" "node $(node --version) is too old for the SDK, 18 or later is needed"); return 0; }
  dir="$CACHE/node/$(sha256sum "$ROOT/tests/sdk/node/package-lock.json" | cut -c1-12)"
  if [ ! -e "$dir/.done" ]; then
    say "$name: installing the SDK into $dir"
    mkdir -p "$dir"
    cp "$ROOT/tests/sdk/node/package.json" "$ROOT/tests/sdk/node/package-lock.json" "$dir"
    (cd "$dir" && npm ci --silent --no-audit --no-fund --ignore-scripts </dev/null) && touch "$dir/.done" \
      || { (skip_suite "$name" "npm could not install the SDK"); return 0; }
  fi
  # Modules are looked up beside the file that imports them, so the tests go where the SDK is.
  mkdir -p "$dir/tests"
  cp "$ROOT"/tests/sdk/node/*.mjs "$dir/tests/"
  say "$name: openai $(node -p "require('$dir/node_modules/openai/package.json').version") on node $(node --version)"
  (cd "$dir/tests" && node --test --test-reporter=tap ./*.test.mjs </dev/null) >"$WORK/node.tap" || { failed=1; cat "$WORK/node.tap"; }
  counts=$(awk '/^# pass /{p=$3} /^# fail /{f=$3} /^# skipped /{s=$3} END{if (p == "") {print "0 1 0"} else {print p+0, f+0, s+0}}' "$WORK/node.tap")
  printf '%s passed, failed, skipped: %s\n' "$name" "$counts"
  # shellcheck disable=SC2086
  record "$name" $counts
}

python_suite sdk-python-2 requirements.txt "$@"
python_suite sdk-python-3 requirements-3.txt "$@"
node_suite

if [ "$failed" = 1 ] && [ -s "$WORK/gateway.log" ]; then
  warn "the gateway's last warnings:"
  grep -E '"level":"(WARN|ERROR)"' "$WORK/gateway.log" | tail -20 >&2 || true
fi
exit "$failed"
