#!/bin/sh
# Make .venv and install lindiff with its pinned packages: tools/setup.sh EXTRAS
#
# Called by every `make`, so it must say "nothing to do" in no time. The stamp .venv/installed-EXTRA
# is written last and holds a digest of all that the install hangs on; .venv/installing stands while
# packages are being written, so an install that was killed is known and made anew.
#
# The checkout is known by its physical path: a link that leads here is no other place.
set -eu
cd -P "$(dirname "$0")/.."

extras=$1
python=${PYTHON:-python3}
inside=.venv/bin/python
recent='import sys; sys.exit(sys.version_info < (3, 11))'

die() {
    printf '%s\n' "lindiff: $*" >&2
    exit 1
}

digest() { { pwd -P && cat pyproject.toml constraints.txt; } | cksum; }

installed() {
    for extra in $(printf '%s' "$extras" | tr ',' ' '); do
        [ "$(cat ".venv/installed-$extra" 2>/dev/null)" = "$(digest)" ] || return 1
    done
    [ -x "$inside" ]
}

if installed; then exit 0; fi

mkdir -p .venv
if command -v flock >/dev/null; then
    # Two at once would write the same files. pip inherits the lock: one that outlives a killed
    # make is waited for as well.
    exec 9>.venv/setup.lock
    if ! flock -n 9; then
        echo "lindiff: waiting for another make that is installing packages here ..."
        flock 9
        if installed; then exit 0; fi
    fi
fi

# A venv that cannot be trusted is made anew: never finished, killed half-way, moved here from
# another folder, without a working Python, or with one that is too old.
if [ -e .venv/installing ]; then
    echo "lindiff: the last install was interrupted; starting anew."
    fresh=yes
elif ! "$inside" -m pip --version >/dev/null 2>&1; then
    fresh=yes
elif ! "$inside" -c "$recent"; then
    fresh=yes
elif [ "$(cat .venv/place 2>/dev/null || pwd -P)" != "$(pwd -P)" ]; then
    fresh=yes
else
    fresh=no
fi

if [ "$fresh" = yes ]; then
    command -v "$python" >/dev/null ||
        die "'$python' was not found; install Python 3.11 or newer, or name it: make PYTHON=/path/to/python3"
    "$python" -c "$recent" ||
        die "Python 3.11 or newer is needed, and '$python' is $("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null || echo 'none that runs'); name another: make PYTHON=/path/to/python3"
    "$python" -c 'import venv, ensurepip' 2>/dev/null ||
        die "'$python' has no venv module (or no ensurepip); install it (Debian, Ubuntu: apt install python3-venv), or name another Python: make PYTHON=/path/to/python3"
    tools/idle.sh || exit 1
    find .venv -mindepth 1 -maxdepth 1 ! -name setup.lock -exec rm -rf {} +
    : >.venv/installing
    "$python" -m venv .venv ||
        die "'$python -m venv .venv' failed; its message is above, and the next make starts anew"
    pwd -P >.venv/place
fi

echo "lindiff: installing pinned packages into .venv (a minute or two, once) ..."
: >.venv/installing
if ! "$inside" -m pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[$extras]"; then
    # pip ended by itself (no network, say) and undid its work: what it downloaded is kept.
    rm -f .venv/installing
    die "packages could not be installed; pip's message is above, and the next make tries again"
fi
"$inside" -m pip --disable-pip-version-check check >/dev/null ||
    die "the installed packages contradict each other: .venv/bin/python -m pip check says how"
for extra in $(printf '%s' "$extras" | tr ',' ' '); do
    digest >".venv/installed-$extra"
done
rm -f .venv/installing
