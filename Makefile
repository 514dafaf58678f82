# The two commands of the README, and two for developers. Each calls one script, which says what it does.
.PHONY: demo check format clean

demo: ## build, then rehearse a whole interconnection on this machine
	@tests/tools/demo

check: ## build with warnings as errors and sanitizers, run every test, say what was not run
	@tests/tools/check

format: ## clang-format over the sources
	@tests/tools/format

clean:
	rm -rf build
