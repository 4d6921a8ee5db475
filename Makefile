# The index of commands. Logic is in `local` (Rust); here is only what calls it.
#
# Variables: PORT (3000), FRESH=1 (run: start empty), FN and EVENT (invoke), PROFILE (build: lambda, release or dev),
# ARCH (build: x86_64 or arm64), USER (doctor, erase: whom), TO (backup), FROM and BUCKET (restore; FRESH=1: begin an
# unfinished one anew), TESTS (test: which, as cargo-nextest or cargo test filters them), PARSER and SECONDS (fuzz: which folder of
# tests/corpus, all unless said; for how long each), SAM_PORT (3001) and OFFLINE=1 (sam-local), LOAD, RATE, DURATION, USERS,
# BASE, ELSEWHERE and P99_MS (load), ENV, YES=1 and AT_ONCE=1 (deploy).

SHELL := /bin/sh
MAKEFLAGS += --no-print-directory
.DEFAULT_GOAL := help

# One name for package, directory, binary and first path segment.
FUNCTIONS := health auth accounts categories transactions financial-health backup

PORT ?= 3000
PROFILE ?= lambda
ARCH ?= x86_64
FN ?= health
EVENT ?= $(or $(firstword $(wildcard events/$(FN).get.json events/$(FN).schedule.json)),events/$(FN).get.json)
TESTS ?=
PARSER ?=
SECONDS ?= 60
SAM_PORT ?= 3001
LOAD ?= steady
BASE ?= http://127.0.0.1:$(PORT)
export PORT

# Variables of the command line, as FRESH=1 or RATE_LIMIT_GENERAL_MAX=1000, are in the environment of what is started.
TARGET := $(or $(CARGO_TARGET_DIR),target)
LOCAL := $(TARGET)/debug/local
LOCKED := $(if $(CI),--locked)
NEXTEST := $(shell command -v cargo-nextest)
# Of its own: another profile's link-time optimisation rebuilds every dependency. target/lambda itself is what SAM reads.
SHIP := $(TARGET)/ship
PROFILE_DIR := $(if $(filter dev,$(PROFILE)),debug,$(PROFILE))
# No path of this machine is in what ships: two checkouts make the same bytes. The last that fits counts.
CARGO_FOLDER = $(or $(CARGO_HOME),$(HOME)/.cargo)
REMAPPED = --remap-path-prefix=$(CARGO_FOLDER)=/cargo --remap-path-prefix=$(CURDIR)=/source \
  --remap-path-prefix=$(abspath $(SHIP))=/build
# The most that the zip of what is deployed may have (docs/performance.md).
ZIP_BUDGET_MB := 7
# Two, because their tools want different versions of the same libraries.
VENV := .local/venv
CHECKOV := .local/venv-checkov
K6 := .local/venv-load
NODE_VENV := .local/venv-node
OPENAPI_LINTERS := .local/openapi-linters
GUARD_VERSION := 3.2.1
GUARD := .local/cfn-guard-$(GUARD_VERSION)/bin/cfn-guard
DENY_VERSION := 0.20.2
DENY_OWN := .local/cargo-deny-$(DENY_VERSION)/bin/cargo-deny
TYPOS_VERSION := 1.52.0
TYPOS_OWN := .local/typos-$(TYPOS_VERSION)/bin/typos
# Those of make lint-tools first.
DENY := $(or $(wildcard $(DENY_OWN)),$(shell command -v cargo-deny))
TYPOS := $(or $(wildcard $(TYPOS_OWN)),$(shell command -v typos))

# Empty where Node.js of PATH is new enough for the linters of the API's description; else where PyPI's is put first.
NODE_OF_PATH = npm --version && node --eval 'const [major, minor] = process.versions.node.split("."); process.exit(major > 20 || (major == 20 && minor >= 19) ? 0 : 1)'
NODE_FIRST = $(if $(shell { $(NODE_OF_PATH); } >/dev/null 2>&1 && echo yes),,$(abspath $(NODE_VENV))/bin:)

need = $(if $(shell command -v $(1)),,$(error $(1) is missing: $(2)))
rust = $(call need,cargo,install Rust with rustup and run this again) $(call need,cc,install a C compiler (Debian: apt install gcc))
python = $(call need,python3,install it (Debian: apt install python3 python3-pip python3-venv))

.PHONY: help run demo test test-faults fuzz check lint lint-tools advisories fmt docs config-check bench load build deploy lambda-local invoke sam-local sam-invoke test-sam test-load migrate doctor erase backup restore lint-template lint-openapi clean local

help: ## This list
	@awk 'BEGIN { FS = ":.*## " } /^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

local:
	@$(rust)
	@cargo build $(LOCKED) -p local

run: local ## The whole API on http://127.0.0.1:PORT, with its databases (FRESH=1: start empty)
	@exec $(LOCAL) run

demo: local ## Two years of data for the demo user
	@exec $(LOCAL) demo

# The tests of the real binaries run what ships, built quicker: the release profile, without link-time optimisation.
test: ## Every test, against a MongoDB and a Redis of its own (TESTS=filter: some)
	@$(rust) $(python)
	@cargo build $(LOCKED) --workspace --all-targets
	@$(MAKE) build PROFILE=release
	@$(LOCAL) with-servers -- cargo $(if $(NEXTEST),nextest run,test --lib --bins --tests) $(LOCKED) --workspace $(TESTS)
	$(if $(TESTS),,@cargo test $(LOCKED) -p finance --doc)

# What the fuzzer learns is kept in .local; an input that broke a law goes to tests/corpus by hand, with the mending. It needs
# no sanitizer, and so no nightly Rust: the code has no unsafe block.
fuzz: ## Fuzz the parsers of tests/corpus, each for a while (PARSER=money SECONDS=60)
	@$(rust) $(call need,cargo-fuzz,cargo install --locked cargo-fuzz brings it) $(call need,c++,install a C++ compiler (Debian: apt install g++))
	@for parser in $(or $(PARSER),$(notdir $(wildcard tests/corpus/*))); do \
	  echo "$$parser, for $(SECONDS) s"; mkdir -p .local/fuzz/$$parser || exit 1; \
	  CARGO_TARGET_DIR=$(TARGET)/fuzz cargo fuzz run -s none $$parser .local/fuzz/$$parser tests/corpus/$$parser \
	    -- -max_total_time=$(SECONDS) -max_len=4096 -timeout=10 -rss_limit_mb=2048 || exit 1; \
	done

# In `make test` the same tests take a fixed part of it all.
test-faults: ## The whole fault suite: every fault on every route, a kill at every command of every write
	@$(rust) $(python)
	@cargo build $(LOCKED) -p local -p tests --all-targets
	@$(MAKE) build PROFILE=release
	@FAULTS=all $(LOCAL) with-servers -- cargo $(if $(NEXTEST),nextest run $(LOCKED) -p tests,test $(LOCKED) -p tests --test it -- --test-threads=1) faults:: crash::

check: lint lint-openapi lint-template test test-load ## What CI does, sam local apart (make test-sam)

# cargo-deny reads the packages of every platform, of which a build fetches its own alone.
lint: ## Format and clippy, warnings refused; cargo-deny and typos where they are installed
	@$(rust)
	cargo fmt --all --check
	cargo clippy $(LOCKED) --workspace --all-targets -- -D warnings
	$(if $(DENY),cargo fetch $(LOCKED) && $(DENY) --offline check --hide-inclusion-graph bans licenses sources,@echo "cargo-deny is not installed: dependencies are not judged (make lint-tools)")
	$(if $(TYPOS),$(TYPOS),@echo "typos is not installed: spelling is not judged (make lint-tools)")

lint-tools: $(DENY_OWN) $(TYPOS_OWN) ## cargo-deny and typos, pinned, into .local for make lint

# Of its own, because its answer changes while the code does not.
advisories: $(DENY_OWN) ## What is known against a dependency: asks the advisory database
	@$(DENY_OWN) check advisories

$(DENY_OWN):
	@$(rust)
	@cargo install --quiet --locked --root .local/cargo-deny-$(DENY_VERSION) cargo-deny@$(DENY_VERSION)

$(TYPOS_OWN):
	@$(rust)
	@cargo install --quiet --locked --root .local/typos-$(TYPOS_VERSION) typos-cli@$(TYPOS_VERSION)

fmt: ## Format the code
	@$(rust)
	@cargo fmt --all

docs: ## Write what is written from the code: openapi.json, problems.md, degradation.md, configuration.md, .env.example
	@$(rust)
	@UPDATE=1 cargo test $(LOCKED) --quiet -p tests --test it documents::

config-check: local ## What is configured, redacted, and every problem of it
	@exec $(LOCAL) config-check

bench: local ## Measure the functions of make build behind a Runtime API, into docs/performance.md
	@cargo build $(LOCKED) -p tests --bin bench
	@$(LOCAL) with-servers -- $(TARGET)/debug/bench

# A server with its limits raised (docs/load.md); `login` wants the limits as they are. Only this machine, unless another is named.
load: $(K6)/ready ## k6 against the API of BASE (LOAD=steady, step or login; RATE=100 DURATION=60s USERS=20)
	@BASE=$(BASE) exec $(K6)/bin/k6 run --no-usage-report --quiet tests/load/$(LOAD).js

test-load: local $(K6)/ready ## The tests of the k6 scripts, against make run
	@LOCAL=$(LOCAL) K6=$(abspath $(K6))/bin/k6 exec python3 -W ignore -m unittest discover --verbose --start-directory tests/load

build: ## target/lambda/<function>/bootstrap for provided.al2023 (PROFILE=release: quicker; ARCH=arm64: cargo-lambda)
	@$(rust) $(python)
	@$(if $(filter arm64,$(ARCH)),$(call need,cargo-lambda,pip install cargo-lambda==1.9.2 brings it),)
	RUSTFLAGS="$(strip $(RUSTFLAGS) $(REMAPPED))" cargo $(if $(filter arm64,$(ARCH)),lambda )build $(LOCKED) --profile $(PROFILE) --target-dir $(SHIP) $(if $(filter arm64,$(ARCH)),--arm64 --lambda-dir $(SHIP)/arm64) $(addprefix -p ,$(FUNCTIONS))
	@exec python3 local/package.py $(if $(filter lambda,$(PROFILE)),--budget-mb $(ZIP_BUDGET_MB)) $(if $(filter dev,$(PROFILE)),,--without $(CURDIR) --without $(CARGO_FOLDER)) $(if $(filter arm64,$(ARCH)),$(SHIP)/arm64,$(SHIP)/$(PROFILE_DIR)) $(FUNCTIONS)

lambda-local: local ## The same API over the binaries of make build, behind a local Runtime API
	@exec $(LOCAL) lambda

invoke: local ## One event to one binary of make build (FN=health EVENT=events/health.get.json)
	@exec $(LOCAL) invoke $(FN) $(EVENT)

# `sam local` in containers; where no image can be pulled, OFFLINE=1 makes a base image of this machine's own C library.
SAM_LOCAL = $(VENV)/bin/python local/sam_local.py $(if $(OFFLINE),--offline) --run-port $(PORT)

sam-local: $(VENV)/ready ## The template in containers on SAM_PORT (3001), on the databases of make run (OFFLINE=1: pull no image)
	@exec $(SAM_LOCAL) start-api $(SAM_PORT)

sam-invoke: $(VENV)/ready ## One event to one function in a container (FN, EVENT, OFFLINE=1)
	@exec $(SAM_LOCAL) invoke $(FN) $(EVENT)

test-sam: local $(VENV)/ready ## The tests of sam-local; they need a container engine, and no network
	@$(MAKE) build PROFILE=release
	@LOCAL=$(LOCAL) exec $(VENV)/bin/python -W ignore -m unittest discover --verbose --start-directory tests/sam

migrate: local ## The indexes and search terms of MONGODB_URI, or of the databases of make run
	@exec $(LOCAL) migrate

# Every shell sets USER to the login name: only make's own command line counts.
WHOM = $(if $(filter command,$(origin USER)),"$$USER")

doctor: local ## Totals, balances and knowledge, recomputed and compared (USER=id or e-mail address, or USER=all)
	@exec $(LOCAL) doctor $(WHOM)

erase: local ## Users, by id, as DELETE /auth/me does: after a restore, those who erased themselves since (USER="id id")
	@exec $(LOCAL) erase $(WHOM)

backup: local ## A backup of MONGODB_URI, or of the databases of make run (TO=s3://bucket, or a folder)
	@exec $(LOCAL) backup "$(TO)"

restore: local ## A backup back into an empty database (FROM=s3://bucket/backups/name, a folder, or latest with BUCKET=name)
	@exec $(LOCAL) restore "$(FROM)" $(BUCKET)

# YES=1 asks nothing (CI: somebody approved before); AT_ONCE=1 looks at no alarm (a mend while alarms ring).
deploy: ## Build, check and deploy to ENV=dev, staging or prod, as samconfig.toml says
	@$(if $(filter dev staging prod,$(ENV)),,$(error ENV is one of dev, staging and prod))
	@$(python)
	@arch=$$(python3 local/deploy.py --arch $(ENV)) && $(MAKE) build PROFILE=lambda ARCH=$$arch
	@$(MAKE) lint-template
	@exec $(VENV)/bin/python local/deploy.py $(if $(YES),--yes) $(if $(AT_ONCE),--at-once) $(ENV)

# The last three judge the template as AWS expands it, which has used up the parameters Release (W2001) and Commit (W1020). `UPDATE=1` writes
# the expected lines of tests/template anew.
lint-template: $(VENV)/ready $(CHECKOV)/ready $(GUARD) ## What is wrong with template.yaml: five tools, no account
	$(VENV)/bin/cfn-lint template.yaml
	SAM_CLI_TELEMETRY=0 AWS_DEFAULT_REGION=us-east-1 $(VENV)/bin/sam validate --lint --template-file template.yaml
	$(CHECKOV)/bin/checkov --file template.yaml --framework cloudformation --compact --quiet --skip-download
	PYTHONPATH=tests/template $(VENV)/bin/python -W ignore -m unittest discover --start-directory tests/template
	@$(VENV)/bin/python tests/template/expand.py > .local/template.json
	$(VENV)/bin/cfn-lint --ignore-checks W2001 W1020 --template .local/template.json
	$(GUARD) validate --rules local/template.guard --data .local/template.json --show-summary all

# Neither linter asks the network for anything, once it is installed. A warning fails, as an error does.
lint-openapi: $(OPENAPI_LINTERS)/ready ## What two public linters find in docs/openapi.json: spectral and redocly, pinned
	@PATH="$(NODE_FIRST)$$PATH" $(OPENAPI_LINTERS)/node_modules/.bin/spectral lint --fail-severity=hint --ruleset tests/openapi/spectral.yaml docs/openapi.json
	@PATH="$(NODE_FIRST)$$PATH" REDOCLY_TELEMETRY=off REDOCLY_SUPPRESS_UPDATE_NOTICE=true $(OPENAPI_LINTERS)/node_modules/.bin/redocly lint --config tests/openapi/redocly.yaml docs/openapi.json

$(OPENAPI_LINTERS)/ready: tests/openapi/package.json tests/openapi/package-lock.json
	@$(if $(NODE_FIRST),$(MAKE) $(NODE_VENV)/ready,:)
	@mkdir -p $(OPENAPI_LINTERS) && cp tests/openapi/package.json tests/openapi/package-lock.json tests/openapi/.npmrc $(OPENAPI_LINTERS)
	@PATH="$(NODE_FIRST)$$PATH" npm ci --silent --prefix $(OPENAPI_LINTERS)
	@touch $@

$(NODE_VENV)/ready: local/requirements/node.txt
	$(call venv,$(NODE_VENV),$<)

$(VENV)/ready: local/requirements/sam.txt
	$(call venv,$(VENV),$<)

$(CHECKOV)/ready: local/requirements/checkov.txt
	$(call venv,$(CHECKOV),$<)

$(K6)/ready: local/requirements/load.txt
	$(call venv,$(K6),$<)

$(GUARD):
	@$(rust)
	@cargo install --quiet --locked --root .local/cfn-guard-$(GUARD_VERSION) cfn-guard@$(GUARD_VERSION)

define venv
	@$(python)
	@python3 -m venv $(1) || { echo "Error: python3 cannot make a virtual environment: install it (Debian: apt install python3-venv)"; exit 1; }
	@$(1)/bin/pip install --quiet --disable-pip-version-check --no-deps --require-hashes --requirement $(2)
	@touch $(1)/ready
endef

clean: ## Remove what was built; .local keeps data and secrets
	@$(rust)
	@cargo clean
