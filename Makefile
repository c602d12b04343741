# make demo shows the product; make test runs all tests; make help lists the rest. Each target does its own set-up.

GOLANGCI    = github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0
ACTIONLINT  = github.com/rhysd/actionlint/cmd/actionlint@v1.7.12
GORELEASER  = github.com/goreleaser/goreleaser/v2@v2.15.1
GOVULNCHECK = golang.org/x/vuln/cmd/govulncheck@v1.9.0
HELM        = helm.sh/helm/v3/cmd/helm@v3.22.0
FUZZTIME    = 3s
LAWS        = 200
KILLS       = 100
IN_VENV     = .ci/python .venv-test python/requirements-test.txt
IN_WHEEL    = FSTORE_CI=1 .ci/python .venv-wheel python/requirements-wheel.txt
VERSION     = $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)

.PHONY: help setup build install demo loop test test-python test-neighbours test-tools test-deploy test-image test-report report-picture law race fuzz bench bench-growth cover lint vuln dist wheel python-lock release-check release-test generate clean go compiler redis valkey protoc prometheus chromium

help: ## List the targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1|\2/p' $(MAKEFILE_LIST) | awk -F'|' '{ printf "make %-14s %s\n", $$1, $$2 }'

setup: go compiler redis ## Install what is missing to build and test, and download the modules
	go mod download

build: go compiler ## Build bin/fstore
	go build -ldflags '-X main.version=$(VERSION)' -o bin/fstore ./cmd/fstore

install: go compiler ## Install fstore into GOBIN
	go install -ldflags '-X main.version=$(VERSION)' ./cmd/fstore

demo: build ## Show the whole life of a feature repo on sample data
	@go build -o bin/generate ./feature_repo/generate
	@feature_repo/demo.sh

# The tests start their own redis-server, on a socket or a free port, and stop it. make lint vets.
test: go compiler redis $(if $(FSTORE_CI),prometheus) ## Run all tests
	go test -timeout 30m -vet=off ./...
	@$(MAKE) --no-print-directory test-python

# The tests start bin/fstore themselves, and find it by FSTORE_BINARY.
test-python: build ## Run the tests of the Python package, in a virtual environment of their own
	FSTORE_BINARY=$(CURDIR)/bin/fstore $(IN_VENV) pytest python

test-neighbours: build wheel ## Run the tests that install other tools, or the wheels, to work with
	FSTORE_BINARY=$(CURDIR)/bin/fstore FSTORE_WHEELS=$(CURDIR)/python/dist \
		.ci/python .venv-neighbours python/requirements-neighbours.txt pytest python/tests/neighbours
	FSTORE_BINARY=$(CURDIR)/bin/fstore .ci/python .venv-trackers python/requirements-trackers.txt pytest python/tests/trackers
	FSTORE_BINARY=$(CURDIR)/bin/fstore .ci/python .venv-mlflow2 python/requirements-mlflow2.txt pytest python/tests/trackers/test_mlflow.py
	FSTORE_BINARY=$(CURDIR)/bin/fstore .ci/python .venv-feast python/requirements-feast.txt pytest python/tests/feast
	FSTORE_BINARY=$(CURDIR)/bin/fstore .ci/python .venv-evidently python/requirements-evidently.txt pytest python/tests/evidently
	@$(MAKE) --no-print-directory test-tools test-report

# Tools that cannot be installed together have environments of their own.
TOOLS = python/tests/tools
test-tools: build ## Run examples/orchestration and examples/serving in the tools that they are for
	export FSTORE_BINARY=$(CURDIR)/bin/fstore FSTORE_MLSERVER=$(CURDIR)/.venv-mlserver/bin/python && \
	.ci/python .venv-airflow python/requirements-airflow.txt pytest $(TOOLS)/test_airflow.py $(TOOLS)/test_airflow_loop.py && \
	.ci/python .venv-pipelines python/requirements-pipelines.txt pytest $(TOOLS)/test_prefect.py $(TOOLS)/test_kfp.py && \
	.ci/python .venv-mlserver python/requirements-mlserver.txt true && \
	.ci/python .venv-serving python/requirements-serving.txt pytest $(TOOLS)/test_bentoml.py $(TOOLS)/test_kserve.py

# What deploy/ has, in the tools that use it. kubernetes-validate is a package of Python.
test-deploy: go compiler redis prometheus ## Check deploy/ with Prometheus, helm and systemd, and restart servers under 100,000 look-ups
	GOBIN=$(CURDIR)/bin/tools go install $(HELM)
	FSTORE_CI=1 FSTORE_HELM=$(CURDIR)/bin/tools/helm $(IN_VENV) go test -timeout 30m ./test/deploy -lookups 100000

# Where no registry of images can be reached, GO_IMAGE and BASE_IMAGE name others: Debian with Go and a C++ compiler, and Debian.
test-image: go compiler ## Build the Dockerfile with buildah, as root, and run the image read-only as nobody
	FSTORE_CI=1 FSTORE_IMAGE=1 GO_IMAGE=$(GO_IMAGE) BASE_IMAGE=$(BASE_IMAGE) go test -timeout 30m -run TheImage ./test/deploy

loop: build redis prometheus ## Run the loop once round: train, serve, shift the data, alert, retrain, move the alias under load (in bin/loop)
	FSTORE_CI=1 FSTORE_BINARY=$(CURDIR)/bin/fstore .ci/python .venv-loop python/requirements-loop.txt python examples/loop/loop.py bin/loop

test-report: go chromium ## Check the report of drift in Chromium, with axe-core; FSTORE_REPORT_PICTURES=DIR keeps what it looks like
	axe="$$(.ci/axe)" && FSTORE_AXE="$$axe" go test -count=1 ./monitor/report

report-picture: go chromium ## Draw the picture of a report in docs/drift.md
	axe="$$(.ci/axe)" && FSTORE_AXE="$$axe" go test -count=1 -run TestPictures ./monitor/report -update

failover: go compiler redis ## Look up 200,000 times and more through failovers of Redis
	go test -timeout 1h ./test/failover -reads 200000

law: go compiler redis ## Play LAWS (200) generated repos against each law; make test plays fewer
	go test -timeout 2h ./test/law -rapid.checks=$(LAWS)

crash: go compiler redis ## Kill KILLS (100) commands in each test of crashes; make test kills fewer
	go test -timeout 2h ./test/system -run Killed -kills $(KILLS)

# Every fault that docs/operations.md lists; a test compares them. Locks are held for longer than anyone waits for them, and no call may
# end more than 50 ms after its deadline, so the machine must have nothing else to do.
FAULTS    = ^TestServeBeginsWhile|^TestRedis|^TestARedis|^TestTheNetwork|^TestMoreCallers|^TestThePrimary|^TestThe(Online|Registry|Store)|^TestACallEnds|^TestAServerThat|^TestADead|^TestTheServersClock|^TestAMachine|^TestScripts/bad_disk$$
faults: go compiler redis ## Break network, Redis, registry, disks and clocks, and hold every call to its deadline
	go test -timeout 30m ./test/system -run '$(FAULTS)' -slow -strict -parallel 1
	go test -timeout 30m -run '$(FAULTS)' ./online/... ./server ./materialize ./cmd/fstore

# What runs concurrently, under the race detector; a test checks that no package is forgotten. Left out are tests that make test runs
# and that add no concurrency: of offline all but those of threads, of the vector function and of how a query ends; of materialize the
# long sequences of one run after another; of the stores damaged records, failures at every write, many rows, and TLS below Redis; of
# the server the largest loads; and of cmd/fstore what only parses and prints.
RACE      = ./tracing/... ./monitor/... ./ondemand ./ondemand/zone ./online/... ./server/... ./materialize/... ./project ./client/... ./internal/child ./internal/load ./internal/memory ./internal/mlflow/... ./internal/openlineage ./proto/... \
	./registry ./registry/memory ./registry/sqlite ./registry/registrytest ./registry/definition/definitiontest ./offline/duckdb ./offline/trainset
RACE_PARTS = TestConformance/damaged_record|TestConformance/fails_anywhere|TestConformance//lookup/many_rows|TestOrdinaryLoad/1000_keys
RACE_SKIP = AnyHistory|AnyFailovers|FailsOverAtEveryStep|KilledProcesses|MemoryDoesNotGrow|TestConformanceWithSentinelsOverTLS|$(RACE_PARTS)
RACE_ENGINE = OnDemandFeaturesAreThose|OnAnyNumberOfThreads|AKilledTrainingSet|Cancel|Progress
RACE_RUN  = TestScripts/(story|serve|lease|redis)$$|Signal|Memory|Screen
RACE_TEST = go test -timeout 30m -vet=off -race
race: go compiler redis ## Run what is concurrent under the race detector
	$(RACE_TEST) -skip '$(RACE_SKIP)' $(RACE)
	$(RACE_TEST) -run '$(RACE_ENGINE)' ./offline
	$(RACE_TEST) -run '$(RACE_RUN)' ./cmd/fstore

fuzz: go compiler ## Run every fuzz target for FUZZTIME (3s)
	@.ci/fuzz $(FUZZTIME)

bench: go compiler redis ## Run the benchmarks
	go test -timeout 60m -run '^$$' -bench . -skip GrowthOfWindows -benchmem $$(grep -rl --include='*_test.go' '^func Benchmark' . | xargs -r -n1 dirname | sort -u)

bench-growth: go compiler ## Run the benchmark of windows over 1M to 30M events
	go test -timeout 60m -run '^$$' -bench GrowthOfWindows -benchtime 1x ./offline

lint: go compiler ## Check the code, its format and the workflows
	go vet ./...
	go run $(GOLANGCI) run ./...
	go run $(ACTIONLINT) .github/workflows/*.yml examples/github/*.yml
	$(IN_VENV) sh -c 'cd python && mypy && ruff check && ruff format --check'

cover: go compiler redis ## Run all tests and write bin/cover.html, the coverage of every line
	@mkdir -p bin
	go test -timeout 60m -coverpkg ./... -coverprofile bin/cover.out ./...
	go tool cover -html bin/cover.out -o bin/cover.html
	go tool cover -func bin/cover.out | tail -n 1

vuln: go compiler ## Look for known vulnerabilities in what fstore links
	@.ci/vuln $(GOVULNCHECK)

# A commit without a tag is packed as a snapshot.
dist: go compiler ## Build, pack and checksum a release for this platform, in dist/
	GOBIN=$(CURDIR)/bin/tools go install $(GORELEASER)
	$(IN_WHEEL) bin/tools/goreleaser release --clean --skip publish $(shell git describe --exact-match --tags >/dev/null 2>&1 || echo --snapshot)

# OLD_ROOT names the root of an older Linux, as debootstrap makes it: the command runs in it, if root runs the tests.
release-test: dist ## Check what make dist makes: archive, checksums, SBOM, the oldest glibc; and that making it again gives the same
	FSTORE_DIST=$(CURDIR)/dist FSTORE_OLD_ROOT=$(OLD_ROOT) $(IN_WHEEL) go test -count 1 -timeout 30m -v ./test/release

wheel: go compiler ## Build the Python distributions fstore-sdk and fstore-bin, in python/dist/
	@rm -rf python/dist
	$(IN_WHEEL) .ci/wheel

# What is pinned stays pinned. To upgrade a package, delete its line first.
python-lock: ## Pin what the tests of the Python package need, in python/requirements-*.txt
	for list in test neighbours trackers mlflow2 feast evidently loop wheel airflow pipelines serving mlserver; do \
		$(IN_VENV) uv pip compile -q --universal --python-version 3.11 --no-annotate --custom-compile-command 'make python-lock' \
			python/requirements-$$list.in -o python/requirements-$$list.txt || exit 1; \
	done

release-check: go ## Check the configuration of releases
	go run $(GORELEASER) check

# A generated file is named by a go:generate comment beside its source. A test fails while the file is out of date.
generate: go compiler protoc ## Generate everything that is generated
	go generate ./...

clean: ## Remove what the other targets made
	rm -rf bin dist python/dist python/bin/build .venv-* feature_repo/.fstore feature_repo/data

# What the targets above need. Each installs what is missing where it may, and otherwise says what to run.
go:
	@command -v go >/dev/null || { echo "Go is missing. Install it from https://go.dev/dl, then run make again."; exit 1; }

# DuckDB is C++.
compiler:
	@.ci/need $(firstword $(shell go env CXX 2>/dev/null) c++) g++ gcc

redis: valkey
	@.ci/need redis-server redis-server redis

valkey: # optional
	@.ci/valkey

protoc:
	@.ci/need protoc protobuf-compiler protobuf

chromium:
	@for c in chromium chromium-browser google-chrome '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome'; do \
		command -v "$$c" >/dev/null && exit; done; .ci/need chromium chromium google-chrome

prometheus: # and sqlite3: their tests are left out where they are missing, but not in CI
	@.ci/need promtool prometheus prometheus
	@.ci/need prometheus-pushgateway prometheus-pushgateway prometheus-pushgateway
	@.ci/need sqlite3 sqlite3 sqlite
