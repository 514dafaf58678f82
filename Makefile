# The two commands of the README, and some for developers. Each calls one script, which says what it does.
.PHONY: demo check bench format clean

demo: ## build, then rehearse a whole interconnection on this machine
	@tests/tools/demo

check: ## build with warnings as errors and sanitizers, run every test, say what was not run
	@tests/tools/check

bench: ## how fast the bus is, at what cost: docs/PERFORMANCE.md
	@tests/tools/bench

format: ## clang-format over the sources
	@tests/tools/format

clean:
	rm -rf build
