# make                                  set up .venv, run config/default.yaml on all cores, write the report
# make CONFIG=config/smoke.yaml         the same for another config (seconds)
# make test                             set up .venv and run all tests but the slow ones
# make claims                           decide the published claims of config/claims (under an hour on two cores)
# make docs                             build the documentation in build/site, with the figures of the smoke config
# make faults                           attack a small sweep some thousand times (an hour; needs cc)
# make lock                             pin the newest packages in constraints.txt (needs uv)
# make clean                            remove .venv and caches; results stay
#
# Also: PYTHON=python3.12 (the Python of a new .venv), CORES=4, SNAKEMAKE='--quiet rules' (more
# options for Snakemake), PYTEST='-k store' (more options for pytest), UV=path/to/uv.

PYTHON = python3
CONFIG = config/default.yaml
CORES = all
SNAKEMAKE =
PYTEST =
UV = uv

# Recipes read these from the environment, so that a value with a space needs no care.
export PYTHON CONFIG CORES UV
# A rule's commands find lindiff and Snakemake in .venv, whatever the caller has activated.
export PATH := $(CURDIR)/.venv/bin:$(PATH)

.PHONY: run test claims docs faults setup lock clean
.DEFAULT_GOAL := run

run:
	@test -f "$$CONFIG" || { echo "lindiff: CONFIG=$$CONFIG: no such file" >&2; exit 2; }
	@tools/setup.sh workflow,train
	@.venv/bin/lindiff sweep "$$CONFIG" --cores "$$CORES" -- $(SNAKEMAKE)

test:
	@tools/setup.sh workflow,data,train,test
	.venv/bin/python -m pytest -n 2 --dist worksteal -m "not slow" $(PYTEST)

claims:
	@tools/setup.sh workflow,train
	@.venv/bin/lindiff claims --cores "$$CORES" -- $(SNAKEMAKE)

docs:
	@tools/setup.sh workflow,train,docs
	@.venv/bin/lindiff sweep config/smoke.yaml --cores "$$CORES"
	.venv/bin/python -m sphinx -W --keep-going -q -b html docs build/site

faults:
	@tools/setup.sh workflow,data,train,test
	.venv/bin/python -m tests.faults all

setup:
	@tools/setup.sh workflow,data,train,test

# One lock for every platform and Python: bare pins with markers, no paths, no index. torch is pinned by
# hand, for uv would add gigabytes of CUDA; what it needs besides is named here.
lock:
	printf '%s\n' filelock fsspec jinja2 networkx safetensors sympy | \
	"$$UV" pip compile --upgrade --universal --python-version 3.11 --extra workflow --extra data --extra docs --extra test \
	    --no-annotate --no-emit-index-url --no-emit-find-links --custom-compile-command "make lock" \
	    --quiet --output-file constraints.txt pyproject.toml -
	echo torch==2.13.0 >>constraints.txt

clean:
	@tools/idle.sh
	rm -rf .venv .pytest_cache .mypy_cache .ruff_cache .hypothesis .coverage build *.egg-info
	find lindiff tests benchmarks workflow -name __pycache__ -type d -prune -exec rm -rf {} +
