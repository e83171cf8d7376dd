#!/usr/bin/env bash
# Installs into the new conda environment the same lindiff as the one that plans the workflow.
set -euo pipefail
source=${LINDIFF_SOURCE:?is set by lindiff.report.workflow}
if [ ! -e "$source/pyproject.toml" ]; then
    echo "lindiff: conda environments of jobs are made from a checkout of lindiff, and $source is none;" \
        "without conda jobs use the installation that runs Snakemake" >&2
    exit 1
fi
python -m pip install --no-deps "$source"
