# The commands of this project. `make demo` and `make test` are all that a bare machine with rustup's toolchain and a C compiler
# needs: what else they need they install, saying so (scripts/setup.sh), into $TIDEGATE_CACHE (default ~/.cache/tidegate).

CACHE := $(or $(TIDEGATE_CACHE),$(HOME)/.cache/tidegate)
export PATH := $(CACHE)/bin:$(HOME)/.cargo/bin:$(PATH)

.PHONY: help demo build test lint format bench fuzz schema train docker clean

help: ## this list
	@awk -F':.*## ' '/^[a-z-]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: ## the gateway with simulated edge and cloud: a first minute with it
	@scripts/setup.sh build
	cargo run --release --locked -- demo $(ARGS)

build: ## the release binary
	@scripts/setup.sh build
	cargo build --release --locked

test: ## all tests: rust, official SDKs, real llama-server, a short fuzz (SUITES="rust sdk edge fuzz")
	@scripts/test.sh $(SUITES)

lint: ## format, clippy, licences, schema, scripts
	@scripts/lint.sh

format: ## format the code
	cargo fmt --all

bench: ## CPU per request beside nginx and a bare pingora-proxy (ARGS=--quick)
	@scripts/setup.sh build
	@benches/compare/run.sh $(ARGS)

fuzz: ## fuzz each target for a minute (FUZZ_SECONDS=60)
	@scripts/fuzz.sh $(or $(FUZZ_SECONDS),60)

schema: ## write config/tidegate.schema.json anew
	@scripts/setup.sh build
	cargo run --quiet --locked -- schema > config/tidegate.schema.json.new && mv config/tidegate.schema.json.new config/tidegate.schema.json

train: ## train the shipped prompt classifiers, the tagger and the verifier anew from ROUTING_DATA, PII_DATA and CACHE_DATA (ARGS=--measure for the cards' tables)
	@scripts/setup.sh build
	cargo run --release --locked --example train_shipped -- $(ARGS)
	cargo run --release --locked --example train_tagger -- $(ARGS)
	cargo run --release --locked --example train_verifier -- $(ARGS)

docker: ## the container image
	docker build -t tidegate .

clean: ## remove build output; the cache folder stays
	cargo clean
	rm -rf fuzz/target benches/compare/target
