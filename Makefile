# Needs make, a Rust toolchain (Cargo.toml names the oldest) and a C linker; nothing else.
# `make help` lists what there is to do.

CARGO ?= cargo
FUZZ_SECONDS ?= 60
SHELL := /bin/sh
# cargo puts its output where CARGO_TARGET_DIR says, if it does
TARGET := $(or $(CARGO_TARGET_DIR),target)
NETPOLC := $(TARGET)/release/netpolc

# packages of Debian with what the tests with the kernel use
KERNEL_TOOLS := iptables ipset iproute2 util-linux
# and with what the test of the HTML report opens it
BROWSER := chromium chromium-driver

# the sample cluster, and the worker of it that `make run` compiles
SAMPLE := fixtures/iks
WORKER ?= 10.176.48.67

.DEFAULT_GOAL := help
.PHONY: help build run test kernel-test tools check bench gate fuzz clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "%-11s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

build: ## build the release binary
	$(CARGO) build --release --locked

run: build ## compile the sample cluster for one worker (WORKER=10.176.48.78 for the other) and show the result
	@rm -rf $(TARGET)/sample
	@$(NETPOLC) compile $(SAMPLE)/cluster --node $(WORKER) \
	    --node-addresses $(SAMPLE)/node/$(WORKER)/ip-addr.json --explain-origin --out $(TARGET)/sample \
	    || test $$? -eq 1
	@printf '\n%s, compiled from the manifests in %s:\n' $(WORKER) $(SAMPLE)/cluster
	@for f in $(TARGET)/sample/*; do \
	    printf '  %6d lines  %s\n' "$$(wc -l < $$f)" "$$f"; done
	@printf '\nThe policies that guard node ports and load balancers, in the mangle table, before DNAT;\nafter each rule the manifest line that it comes from:\n\n'
	@awk '/^\*/ {mangle = ($$0 == "*mangle")} /^-A/ {show = (mangle && $$2 ~ /^cali-pi-/)} show' \
	    $(TARGET)/sample/save.v4.rules

test: tools ## fetch what the tests need and run all of them
	$(CARGO) fetch --locked
	$(CARGO) test --locked

kernel-test: tools ## send packets through the real kernel, and compare with trace (NETPOLC_KERNEL_PACKETS=40000)
	NETPOLC_KERNEL=1 $(CARGO) test --locked --test kernel_packets

# Some tests ask the real kernel, in network namespaces of their own, or a browser. Where they cannot, they say so.
tools:
	@command -v iptables-legacy-restore ipset unshare ip > /dev/null 2>&1 || { \
	    test "$$(id -u)" = 0 && command -v apt-get > /dev/null && \
	    { apt-get install -y -qq $(KERNEL_TOOLS) || \
	      { apt-get update -qq && apt-get install -y -qq $(KERNEL_TOOLS); }; }; } || \
	    echo 'iptables (legacy), ipset and ip are not here and cannot be installed: tests with the kernel are skipped'
	@command -v chromedriver > /dev/null 2>&1 || { \
	    test "$$(id -u)" = 0 && command -v apt-get > /dev/null && \
	    { apt-get install -y -qq $(BROWSER) || { apt-get update -qq && apt-get install -y -qq $(BROWSER); }; }; } || \
	    echo 'Chromium and its driver are not here and cannot be installed: the test of the HTML report is skipped'

check: ## what CI runs: formatting, lints, tests, documentation
	$(CARGO) fmt --check
	$(CARGO) clippy --locked --all-targets -- -D warnings
	$(MAKE) test
	RUSTDOCFLAGS='-D warnings' $(CARGO) doc --locked --no-deps --document-private-items

bench: gate ## measure, beside others that do the same, and write the table of docs/performance.md
	@command -v iprange > /dev/null 2>&1 || { test "$$(id -u)" = 0 && command -v apt-get > /dev/null && \
	    apt-get install -y -qq iprange; } || echo 'iprange is not here: its reference figure stands in the table'
	$(CARGO) bench --locked --bench parse --bench compile --bench engine
	$(CARGO) bench --locked --bench table

gate: ## count the instructions of three hot paths, and fail if they are more than they were
	@command -v valgrind > /dev/null 2>&1 || { test "$$(id -u)" = 0 && command -v apt-get > /dev/null && \
	    { apt-get install -y -qq valgrind || { apt-get update -qq && apt-get install -y -qq valgrind; }; }; } || \
	    echo 'valgrind is not here and cannot be installed: no instructions are counted'
	$(CARGO) bench --locked --bench gate

fuzz: ## feed damaged input to every parser and to the whole program, FUZZ_SECONDS for each test
	NETPOLC_FUZZ_SECONDS=$(FUZZ_SECONDS) $(CARGO) test --locked --release --lib --test fuzz -- --nocapture

clean: ## remove what was built
	$(CARGO) clean
