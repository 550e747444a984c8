#!/usr/bin/env bash
# Everything that is checked without running the gateway: format, lints, licences, the schema file, the scripts themselves.
# Runs all of it, then says what failed.
set -uo pipefail
. "$(dirname "$0")/lib.sh"
cd "$ROOT" || exit 1

bad=() skipped=()

# check NAME COMMAND...
check() {
  local name=$1 started=$SECONDS
  shift
  say "lint: $name"
  if "$@" </dev/null; then say "lint: $name: fine ($((SECONDS - started)) s)"; else bad+=("$name"); warn "lint: $name: FAILED"; fi
}

skip() { skipped+=("$1: $2"); printf '\nSKIPPED: lint: %s: %s\n\n' "$1" "$2"; }

licences() { cargo deny --log-level error --all-features check --hide-inclusion-graph licenses bans sources; }

# The file is for editors; the program itself is where it comes from.
schema() {
  local bin
  bin=$(. scripts/gateway.sh && gateway_binary) || return 1
  "$bin" schema | diff -u config/tidegate.schema.json - || { warn "remedy: make schema"; return 1; }
}

python_files() { python3 - <<'PY'
import ast, pathlib, subprocess
names = subprocess.run(["git", "ls-files", "-co", "--exclude-standard", "*.py"], capture_output=True, text=True, check=True).stdout.split()
for name in names:
    ast.parse(pathlib.Path(name).read_text(), name)
PY
}

shell_files() { local f; for f in scripts/*.sh benches/compare/*.sh .ci/run; do bash -n "$f" || return 1; done; }

# Links in the documents that point into the tree must lead somewhere.
doc_links() { python3 - <<'PY'
import pathlib, re, subprocess, sys
names = subprocess.run(["git", "ls-files", "-co", "--exclude-standard", "*.md"], capture_output=True, text=True, check=True).stdout.split()
dead = []
for name in names:
    for target in re.findall(r"\]\(([^)#\s]+)", pathlib.Path(name).read_text()):
        if "://" not in target and not target.startswith("mailto:") and not (pathlib.Path(name).parent / target).exists():
            dead.append(f"{name}: {target} is not there")
print("\n".join(dead), end="\n" if dead else "")
sys.exit(bool(dead))
PY
}

# A dashboard over a metric that nobody exports shows an empty panel for ever.
dashboards() { python3 - <<'PY'
import json, pathlib, re, sys
known = " ".join(p.read_text() for p in pathlib.Path("src/telemetry").rglob("*.rs"))
bad = []
for path in sorted(pathlib.Path("dashboards").glob("*.json")):
    for name in sorted(set(re.findall(r"\btidegate_\w+", json.dumps([p.get("targets") for p in json.loads(path.read_text())["panels"]])))):
        if f'"{re.sub("_(bucket|sum|count)$", "", name)}"' not in known:
            bad.append(f"{path}: {name} is not in src/telemetry")
print("\n".join(bad), end="\n" if bad else "")
sys.exit(bool(bad))
PY
}

"$ROOT/scripts/setup.sh" build || exit 1
check format cargo fmt --all -- --check
check shell shell_files
if have python3; then
  check python python_files
  check "document links" doc_links
  check dashboards dashboards
else
  skip "python, document links, dashboards" "python3 is missing"
fi
check clippy nice cargo clippy --locked --all-targets --quiet -- -D warnings
if "$ROOT/scripts/setup.sh" deny; then check licences licences; else skip licences "cargo-deny could not be installed"; fi
if [ -e config/tidegate.schema.json ]; then check schema schema; else skip schema "config/tidegate.schema.json is not there"; fi

printf '\nlint: %d failed, %d skipped\n' "${#bad[@]}" "${#skipped[@]}"
for name in "${bad[@]:-}"; do [ -n "$name" ] && printf '  failed: %s\n' "$name"; done
for name in "${skipped[@]:-}"; do [ -n "$name" ] && printf '  skipped: %s\n' "$name"; done
[ "${#bad[@]}" = 0 ]
