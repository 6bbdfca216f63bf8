# What a person would type. Everything runs from a fresh clone with Go alone.
LINT_VERSION := $(shell sed -n '1s/^\# golangci-lint \(v[0-9.]*\).*/\1/p' .golangci.yml)
LINT := go run github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(LINT_VERSION)
VULN := go run golang.org/x/vuln/cmd/govulncheck@v1.9.0
FUZZTIME ?= 30s
FUZZPKGS := $(shell grep -rlE '^func Fuzz' --include=*_test.go . | xargs -n1 dirname | sort -u)

.PHONY: check fmt lint test race conform e2e trust fuzz bench results vuln cover golden

check: lint test race ## what must pass before a push

fmt:
	gofmt -w .
	go mod tidy

lint:
	test -z "$$(gofmt -l .)"
	go mod tidy -diff
	go vet ./...
	$(LINT) run

test:
	go test ./...

race:
	go test -race -shuffle=on ./...

conform: ## the kit on every adapter, repeatedly
	go test -race -count=5 -run 'Conform' ./transport/... ./transports/...

e2e: ## whole processes and large files; takes minutes, wants root
	go test -tags e2e -count=1 -v -timeout 20m -run 'TestE2E' ./cmd/ferry

trust: ## whether emulated links can be trusted, and what takes long; wants root and a calm machine
	go test -tags e2e -count=1 -p 1 -timeout 20m ./cmd/ferry/internal/link/...
	go test -tags e2e -count=1 -v -timeout 30m -run 'TestLong' ./cmd/ferry

fuzz: ## each fuzz target for FUZZTIME
	@set -e; for pkg in $(FUZZPKGS); do \
	  for target in $$(grep -hoE '^func Fuzz[A-Za-z0-9_]*' $$pkg/*_test.go | cut -d' ' -f2); do \
	    echo "== $$pkg $$target"; go test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) $$pkg; \
	  done; done

bench: ## ten runs of every benchmark, for benchstat
	go test -run '^$$' -bench . -count 10 ./chunker ./transport/... ./transports/... ./pipeline/...

results: ## docs/results.md, measured in under 20 minutes on a machine that does nothing else; RESULTS=-quick tries it
	go build -o dist/ferry ./cmd/ferry
	go run ./cmd/ferry/internal/compare/results -ferry dist/ferry $(RESULTS)

vuln:
	$(VULN) ./...

cover:
	go test -coverpkg=./... -coverprofile=coverage.out ./... && go tool cover -html=coverage.out

golden: ## rewrite the files that tests compare with
	go test ./cmd/... ./chunker/... ./pipeline/... -update
