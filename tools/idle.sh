#!/bin/sh
# Fails, with a sentence, while a sweep of this checkout runs: its jobs are started from .venv, which
# must not be removed under them. Asks the locks of the store (lindiff/files.py): that of the run, and
# those of shards without a part, for their jobs outlive a killed run.
set -eu
cd -P "$(dirname "$0")/.."

# Without a venv nothing runs from it; without flock nobody can tell.
[ -e .venv/bin ] && command -v flock >/dev/null || exit 0

# flock says 1 when another process holds the lock; a file system without locks says something else.
busy() {
    code=0
    flock --nonblock --shared "$1" true || code=$?
    [ "$code" -eq 1 ]
}

store=results/store
who=
if [ -e "$store/lock" ] && busy "$store/lock"; then
    who=$(cat "$store/lock")
    who=${who:-one that has just started}
else
    for spec in "$store"/specs/*.parquet; do
        part=$store/parts/${spec##*/}
        if [ -e "$spec" ] && [ ! -e "$part" ] && busy "$spec"; then
            who="a job that makes $part"
            break
        fi
    done
fi
if [ -n "$who" ]; then
    echo "lindiff: a sweep runs from .venv ($who), so it is not removed; try again when that has ended" >&2
    exit 1
fi
