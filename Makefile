# make demo shows the product; make test runs all tests. Needs Go, a C compiler (DuckDB) and make.

STATICCHECK = honnef.co/go/tools/cmd/staticcheck@v0.8.2
GOFUMPT     = mvdan.cc/gofumpt@v0.12.0
FUZZTIME    = 5s
VERSION     = $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)

.PHONY: build demo test race fuzz bench lint redis clean

build:
	go build -ldflags '-X main.version=$(VERSION)' -o bin/fstore ./cmd/fstore

demo: build
	@go build -o bin/generate ./feature_repo/generate
	@feature_repo/demo.sh

# The tests start their own redis-server, on a socket or a free port, and stop it.
test: redis
	go test -timeout 30m ./...

# What runs concurrently, under the race detector.
race: redis
	go test -timeout 30m -race ./online/... ./server/... ./materialize/... ./registry/...

# Every fuzz target for a few seconds. The go command may end with "context deadline exceeded" where nothing failed
# (go.dev/issue/48591), so a target that fails runs once more: a real failure was saved and fails again.
fuzz:
	@set -e; for file in $$(grep -rl --include='*_test.go' '^func Fuzz' .); do \
		for target in $$(sed -n 's/^func \(Fuzz[A-Za-z0-9_]*\).*/\1/p' $$file); do \
			echo "fuzz $$(dirname $$file) $$target"; \
			fuzz() { go test -run '^$$' -fuzz "^$$target$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 10x $$(dirname $$file); }; \
			fuzz || { echo "once more: what failed is in testdata/fuzz now"; fuzz; }; \
		done; \
	done

bench: redis
	go test -run '^$$' -bench . -benchmem $$(grep -rl --include='*_test.go' '^func Benchmark' . | xargs -r -n1 dirname | sort -u)

lint:
	go vet ./...
	go run $(STATICCHECK) ./...
	@echo gofumpt -l .; unformatted=$$(go run $(GOFUMPT) -l .) && \
		if [ -n "$$unformatted" ]; then echo "not formatted; run go run $(GOFUMPT) -w on:"; echo "$$unformatted"; exit 1; fi

redis:
	@if ! command -v redis-server >/dev/null; then \
		if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
			echo "redis-server is missing: installing it with apt-get"; \
			apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends redis-server; \
		else \
			echo "redis-server is missing: install it (sudo apt-get install redis-server, or brew install redis) and run make again"; \
			exit 1; \
		fi; \
	fi

clean:
	rm -rf bin feature_repo/.fstore feature_repo/data
