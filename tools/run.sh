#!/bin/sh
# What `make` runs after the set-up: the workflow for $CONFIG, which says at its end where everything
# is, then its HTML report: tools/run.sh [OPTION_OF_SNAKEMAKE ...]
set -eu
cd -P "$(dirname "$0")/.."

name=$(basename "$CONFIG")
out=results/${name%.*}

# The workflow's last lines say how to get the report, unless it is made here.
export LINDIFF_MAKE=yes

# Snakemake runs in the background, else this shell would not hear a signal before its end: whoever stops
# `make` stops Snakemake, which stops its jobs.
child=
trap 'kill -TERM "$child" 2>/dev/null || exit 130' INT TERM HUP

engine() {
    # Quiet: one line a finished step; what failed is still shown in full.
    exec .venv/bin/python -m snakemake --workflow-profile workflow/profiles/default \
        --cores "${CORES:-all}" --quiet rules host --config sweep="$CONFIG" "$@"
}

run() {
    engine "$@" &
    child=$!
    code=0
    wait "$child" || code=$?
    # A signal that was passed on has ended the waiting, not the child.
    while kill -0 "$child" 2>/dev/null; do
        code=0
        wait "$child" || code=$?
    done
    return "$code"
}

run "$@" || {
    code=$?
    echo "lindiff: the run did not finish; 'make' again goes on from here, and this says why:" >&2
    echo "    .venv/bin/lindiff status '$CONFIG'" >&2
    exit "$code"
}

# The report takes seconds, so it is made only when something in it is newer, or when it is not what was
# written. It is moved into its place when it is whole; Snakemake names the folder inside the zip after
# the file, hence the folder here, which has our number in its name: what dead ones leave is removed.
report=$out/report.zip
sum=$out/checksums/report
if [ ! -e "$report" ] || [ "$(cksum <"$report")" != "$(cat "$sum" 2>/dev/null)" ] || [ -n "$(find "$out/figures" "$out"/answers.* "$out"/index.html -newer "$report" -print -quit 2>/dev/null)" ]; then
    making=$(mktemp -d "$out/.report.$$.XXXXXX")
    trap 'rm -rf "$making"' EXIT
    run --quiet all --report "$making/report.zip"
    mkdir -p "$out/checksums"
    rm -f "$sum"
    mv "$making/report.zip" "$report"
    cksum <"$report" >"$sum"
fi

echo "report:   $report (unzip it and open report/report.html)"
