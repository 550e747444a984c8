#!/usr/bin/env bash
# All tests: Rust, official SDKs, real llama-server, a short fuzz. Runs every suite whatever the ones before said, then tells
# honestly what passed, failed and was skipped; exit status 1 if anything failed.
#   scripts/test.sh [rust|sdk|edge|fuzz]...       default: all
set -uo pipefail
. "$(dirname "$0")/lib.sh"

WORK=$(mktemp -d)
trap 'rm -rf "$WORK"' EXIT
export TIDEGATE_RESULTS="$WORK/results"
: >"$TIDEGATE_RESULTS"
RESULTS=$TIDEGATE_RESULTS
failed=0

rust() {
  local status=0
  "$ROOT/scripts/setup.sh" postgres || warn "the ledger's tests with Postgres are skipped"
  "$ROOT/scripts/setup.sh" redis || warn "the shared cache's tests with Redis are skipped"
  nice cargo test --locked --no-fail-fast </dev/null 2>&1 | tee "$WORK/rust.log" || status=1
  # A test that says SKIPPED counts as passed for cargo.
  # shellcheck disable=SC2046
  record rust $(awk '/SKIPPED: / {p--; s++} /^test result:/ {p += $4; f += $6; s += $8} END {print p+0, f+0, s+0}' "$WORK/rust.log")
  return "$status"
}

recorded_failures() { awk -F'\t' '{f += $3} END {print f+0}' "$RESULTS"; }

# step SUITE COMMAND...: runs it, times it, and goes on. A suite that fails without a count (it did not build, or did not start)
# counts as one failure.
step() {
  local name=$1 started=$SECONDS before
  shift
  before=$(recorded_failures)
  say "$name"
  if "$@"; then say "$name: done in $((SECONDS - started)) s"; return; fi
  failed=1
  warn "$name: FAILED after $((SECONDS - started)) s"
  if [ "$(recorded_failures)" = "$before" ]; then record "$name" 0 1 0 "did not run to its end, see above"; fi
}

"$ROOT/scripts/setup.sh" build || exit 1
cd "$ROOT" || exit 1
for suite in "${@:-all}"; do
  case "$suite" in rust | sdk | edge | fuzz | all) ;; *) die "unknown suite: $suite (rust, sdk, edge or fuzz)" ;; esac
done
wanted() { case " ${*:2} " in "  " | *" all "* | *" $1 "*) return 0 ;; *) return 1 ;; esac; }

if wanted rust "$@"; then step "rust tests" rust; fi
if wanted sdk "$@"; then step "SDK tests" "$ROOT/scripts/sdk-tests.sh"; fi
if wanted edge "$@"; then step "llama-server tests" "$ROOT/scripts/edge-tests.sh"; fi
if wanted fuzz "$@"; then step "fuzz" "$ROOT/scripts/fuzz.sh"; fi

printf '\n%-24s %8s %8s %8s\n' suite passed failed skipped
awk -F'\t' '{printf "%-24s %8d %8d %8d  %s\n", $1, $2, $3, $4, $5; p += $2; f += $3; s += $4}
  END {printf "\n%d passed, %d failed, %d skipped\n", p, f, s}' "$RESULTS"
exit "$failed"
