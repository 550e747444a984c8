# shellcheck shell=bash
# Starts and stops the gateway for test scripts (sourced after lib.sh).
# What a reader could get wrong: ports are asked of the kernel and read back from the gateway's own log lines; nothing is fixed.

PIDS=()

# Ends what this script started, and nothing else.
stop_all() {
  local pid
  for pid in "${PIDS[@]}"; do kill "$pid" 2>/dev/null || true; done
  for pid in "${PIDS[@]}"; do wait "$pid" 2>/dev/null || true; done
  PIDS=()
}

# The test binary: TIDEGATE_BIN if set, else a debug build (the one `cargo test` has already made).
gateway_binary() {
  if [ -n "${TIDEGATE_BIN:-}" ]; then printf '%s\n' "$TIDEGATE_BIN"; return; fi
  "$ROOT/scripts/setup.sh" build >&2 || return 1
  # Not `cargo build`: with the features of the dev-dependencies, as `cargo test` has built it, it need not be built a second time.
  nice cargo test --no-run --locked --quiet --manifest-path "$ROOT/Cargo.toml" --test main >&2 </dev/null || return 1
  printf '%s\n' "${CARGO_TARGET_DIR:-$ROOT/target}/debug/tidegate"
}

# start_gateway CONFIG LOG: exports TIDEGATE_URL, TIDEGATE_ADMIN_URL and GATEWAY_PID.
start_gateway() {
  local config=$1 log=$2 bin
  bin=$(gateway_binary) || die "the gateway does not build"
  "$bin" serve -c "$config" --log-format json >"$log" 2>&1 </dev/null &
  GATEWAY_PID=$!
  PIDS+=("$GATEWAY_PID")
  wait_for_line "$log" '"message":"ready"' "$GATEWAY_PID" 30 || { tail -30 "$log" >&2; die "the gateway did not become ready (its log is above)"; }
  TIDEGATE_URL="http://$(listener_address "$log" public)"
  TIDEGATE_ADMIN_URL="http://$(listener_address "$log" admin)"
  export TIDEGATE_URL TIDEGATE_ADMIN_URL GATEWAY_PID
  say "gateway on $TIDEGATE_URL"
}

listener_address() { grep '"message":"listening"' "$1" | grep "\"listener\":\"$2\"" | head -1 | sed 's/.*"addr":"\([^"]*\)".*/\1/'; }

# A port that answers nothing: bound for a moment, then given back.
closed_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }
