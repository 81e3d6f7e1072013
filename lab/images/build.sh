#!/usr/bin/env bash
# Build the lab's images djangoops-pooling-lab:SUITE that are missing or were built by another recipe.
#   lab/images/build.sh [SUITE...]       default: bookworm trixie forky
# The base is debian:SUITE where a registry answers. Where none does, it is made out of the Debian mirror under a
# name of its own, so that nobody takes it for the official image. DEBIAN_MIRROR names another mirror.
set -euo pipefail
cd "$(dirname "$0")"
[ $# -gt 0 ] || set -- bookworm trixie forky
top=$(cd ../.. && pwd)
mirror=${DEBIAN_MIRROR:-}
# the Python of each suite, for which Django's wheels are fetched; Django 5.2 supports all three
declare -A python=([bookworm]=3.11 [trixie]=3.13 [forky]=3.14)
django=("Django~=5.2.8" "psycopg[binary]~=3.2")

base_image() {
    if docker image inspect "debian:$1" >/dev/null 2>&1 || timeout 120 docker pull -q "debian:$1" >/dev/null 2>&1; then
        echo "debian:$1"
        return
    fi
    local base="djangoops-pooling-base:$1"
    if ! docker image inspect "$base" >/dev/null 2>&1; then
        echo "lab: no registry answers, making $base from the Debian mirror" >&2
        command -v mmdebstrap >/dev/null || DEBIAN_FRONTEND=noninteractive apt-get install -y -qq mmdebstrap >/dev/null
        # shellcheck disable=SC2086
        mmdebstrap --quiet --variant=minbase --aptopt='Acquire::Check-Valid-Until "false"' "$1" - $mirror |
            docker import - "$base" >/dev/null
    fi
    echo "$base"
}

recipe_of() {
    { cat Dockerfile lab-init; echo "$1 ${python[$1]} ${django[*]}"; } | sha256sum | cut -c1-16
}

build() {
    local suite=$1 machine context
    machine=$(uname -m)
    context=$(mktemp -d)
    # pip on this machine knows its index, proxy and certificates; a container would have to be told
    "$top/.venv/bin/pip" download -q --disable-pip-version-check --dest "$context/wheels" --only-binary=:all: \
        --python-version "${python[$suite]}" --platform "manylinux2014_$machine" --platform "manylinux_2_17_$machine" \
        --platform "manylinux_2_28_$machine" "${django[@]}" 2>/dev/null
    cp Dockerfile lab-init "$context"
    docker build -q --build-arg "BASE=$(base_image "$suite")" --label "recipe=$(recipe_of "$suite")" \
        -t "djangoops-pooling-lab:$suite" "$context" >"$context/log" 2>&1 || { tail -n 20 "$context/log" >&2; return 1; }
    rm -rf "$context"
}

for suite; do
    made=$(docker image inspect -f '{{ index .Config.Labels "recipe" }}' "djangoops-pooling-lab:$suite" 2>/dev/null || true)
    [ "$made" = "$(recipe_of "$suite")" ] && continue
    echo "lab: building djangoops-pooling-lab:$suite" >&2
    build "$suite"
done
