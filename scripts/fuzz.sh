#!/usr/bin/env bash
# Runs every fuzz target for a while: on the stable compiler, without cargo-fuzz, which needs a nightly one.
#   scripts/fuzz.sh [SECONDS] [TARGET...]       default: 20 s each ($FUZZ_SECONDS)
# What a reader could get wrong: what is found goes into the cache folder's corpus; fuzz/corpus in the tree is only read, copy
# what is worth keeping there by hand. A crash is left in fuzz/artifacts/TARGET and printed.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

seconds=${1:-${FUZZ_SECONDS:-20}}
if [ $# -gt 0 ]; then shift; fi
[ -d "$ROOT/fuzz/fuzz_targets" ] || skip_suite fuzz "there are no fuzz targets in fuzz/"
"$ROOT/scripts/setup.sh" fuzz

if [ $# -gt 0 ]; then targets=("$@"); else
  mapfile -t targets < <(cd "$ROOT/fuzz/fuzz_targets" && ls -- *.rs | sed 's/\.rs$//')
fi
host=$(rustc -vV | sed -n 's/^host: //p')
# What cargo-fuzz passes, less the address sanitizer: the crate has no unsafe code, and the sanitizer needs a nightly compiler.
# --target keeps the flags away from build scripts.
export RUSTFLAGS="--cfg fuzzing -Cdebug-assertions -Coverflow-checks -Ccodegen-units=1 -Cpasses=sancov-module \
-Cllvm-args=-sanitizer-coverage-level=4 -Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
-Cllvm-args=-sanitizer-coverage-pc-table -Cllvm-args=-sanitizer-coverage-trace-compares"
say "fuzz: building ${targets[*]}"
nice cargo build --quiet --manifest-path "$ROOT/fuzz/Cargo.toml" --target "$host" --bins </dev/null

passed=0 failed=0
for target in "${targets[@]}"; do
  bin="$ROOT/fuzz/target/$host/debug/$target"
  found="$CACHE/fuzz-corpus/$target"
  artifacts="$ROOT/fuzz/artifacts/$target"
  mkdir -p "$found" "$artifacts"
  corpus=("$found")
  if [ -d "$ROOT/fuzz/corpus/$target" ]; then corpus+=("$ROOT/fuzz/corpus/$target"); fi
  say "fuzz: $target for $seconds s"
  if nice "$bin" "${corpus[@]}" -max_total_time="$seconds" -rss_limit_mb=2048 -timeout=10 -print_final_stats=1 \
    -artifact_prefix="$artifacts/" </dev/null >"$artifacts/log" 2>&1; then
    passed=$((passed + 1))
    grep -E 'stat::number_of_executed_units|stat::new_units_added' "$artifacts/log" || true
    rm -f "$artifacts/log"
  else
    failed=$((failed + 1))
    tail -40 "$artifacts/log"
    warn "fuzz: $target FAILED; repeat with: $bin FILE, the file is in $artifacts"
  fi
done
record fuzz "$passed" "$failed" 0 "$seconds s each"
[ "$failed" = 0 ]
