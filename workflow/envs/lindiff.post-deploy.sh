#!/usr/bin/env bash
# Installs into the new conda environment the same lindiff as the one that plans the workflow.
set -euo pipefail
python -m pip install --no-deps "${LINDIFF_SOURCE:?is set by lindiff.report.workflow}"
