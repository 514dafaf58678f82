# The two commands of the README, and some for developers. Each calls one script, which says what it does.
.PHONY: demo check check-long bench format clean

demo: ## build, then rehearse a whole interconnection on this machine
	@tests/tools/demo

check: ## build with warnings as errors and sanitizers, run every test, say what was not run
	@tests/tools/check

check-long: ## every fault in its long form, about an hour
	@tests/tools/check-long

bench: ## how fast the bus is, and at what cost: docs/PERFORMANCE.md
	@tests/tools/bench

format: ## clang-format over the sources
	@tests/tools/format

clean:
	rm -rf build
