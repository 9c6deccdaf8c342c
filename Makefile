# Two commands do everything: `make reproduce` and `make test`. `make help` lists the rest.
.DEFAULT_GOAL := help
PYTHON ?= python3
JOBS ?=
FROM ?=
TO ?=
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

help:  ## list these commands
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' Makefile | expand -t 18

reproduce: $(READY)  ## bring every result and the report up to date (JOBS=n processes)
	@$(BIN)/python -m schedlab.lab.reproduce $(if $(JOBS),--jobs $(JOBS))

test: $(READY)  ## run the test suite
	@$(BIN)/python -m pytest -n 2 --dist worksteal

smoke: $(READY)  ## run the whole pipeline at smoke scale in a scratch copy
	@$(BIN)/python -m schedlab.lab.scratch smoke $(if $(JOBS),--jobs $(JOBS))

lab: $(READY)  ## open the notebooks in JupyterLab, on this machine only
	@$(BIN)/jupyter lab --ip=localhost --notebook-dir=notebooks

bench: $(READY)  ## measure speed against peers, as ratios
	@$(BIN)/python -m benchmarks

changes: $(READY)  ## write changes.html: what changed between FROM (HEAD) and TO (the files here)
	@$(BIN)/python -m schedlab.lab.report changes $(or $(FROM),HEAD) $(TO)

mutants: $(READY)  ## try small faults in every scheduler and list those that no test notices
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[mutants,ranking]'
	@$(BIN)/python -m mutants

clean-notebooks: $(READY)  ## strip outputs from the notebooks, so that DVC sees them unchanged
	@$(BIN)/nbstripout --extra-keys "metadata.language_info" $$(git ls-files '*.ipynb')

audit: $(READY)  ## look the pins up in ADVISORIES, a folder of OSV files
	@$(BIN)/python -m schedlab.lab.audit $(or $(ADVISORIES),$(error name a folder: make audit ADVISORIES=...))

docs: $(READY)  ## write the tables in docs/ and the drawing in README anew
	@$(BIN)/python -m schedlab.lab.handbook

env: $(READY)  ## create .venv with pinned packages, and build data/

$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed, this is " + sys.version.split()[0] + "; name another one with: make PYTHON=python3.12")'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "installing pinned packages into $(VENV) (a few minutes the first time)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@$(BIN)/python -m schedlab.data build
	@touch $(READY)

.PHONY: help reproduce test smoke lab bench changes mutants clean-notebooks docs audit env
