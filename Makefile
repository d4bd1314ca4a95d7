# Two commands do everything: `make demo` and `make test`.
# The rest is for those who work on the code.

CARGO ?= cargo
SHELL := /usr/bin/env bash

.PHONY: demo test torture bench cc

## Plays a flood down a river, from sensors to mails, on embedded defaults.
demo: cc
	$(CARGO) run --locked --quiet -- demo

## Every check and test, against real servers that it installs itself.
test: cc
	tests/prepare.sh
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets --locked -- -D warnings
	$(CARGO) test --workspace --locked

## The crash law, the power cuts, the stalls and the outages for longer: 200 kills,
## 10,000 histories, 100 stages that stand still, ten minutes of outages.
torture: cc
	tests/prepare.sh
	FOREWARN_KILLS=200 $(CARGO) test --locked --test service -- --nocapture crash::
	FOREWARN_SEEDS=10000 $(CARGO) test --locked --lib -- --nocapture log::tests::crash
	FOREWARN_STALLS=100 $(CARGO) test --locked --test heartbeat -- --nocapture stalls::
	FOREWARN_OUTAGE_SECONDS=600 $(CARGO) test --locked --test service -- --nocapture outages::

## Figures, each beside a bare baseline in the same run, and one table at the end.
bench: export FOREWARN_BENCH_ROWS = $(CURDIR)/target/bench-rows.jsonl
bench: cc
	rm -f "$$FOREWARN_BENCH_ROWS"
	$(CARGO) bench --locked --bench decode --bench log --bench engine --bench stores --bench service --bench scale
	$(CARGO) bench --locked --bench figures

# The only thing the build needs beside Rust: a C compiler and make (SQLite, ring, the allocator).
cc:
	@command -v cc >/dev/null || { \
		echo "installing build-essential"; \
		sudo=; [ "$$(id -u)" = 0 ] || sudo=sudo; \
		$$sudo apt-get update -qq && DEBIAN_FRONTEND=noninteractive $$sudo apt-get install -y -qq build-essential >/dev/null; }
