#!/usr/bin/env bash
# Build the lab's images djangoops-pooling-lab:SUITE that are missing or were built by another recipe.
#   lab/images/build.sh [--app] [SUITE...]       default: bookworm trixie forky
# With --app also djangoops-pooling-app:SUITE on top of them: the environments of app.txt, for tests with a Django project.
# The base is debian:SUITE where a registry answers. Where none does, it is made out of the Debian mirror under a
# name of its own, so that nobody takes it for the official image. DEBIAN_MIRROR names another mirror.
set -euo pipefail
cd "$(dirname "$0")"
with_app=
if [ "${1:-}" = --app ]; then with_app=yes; shift; fi
[ $# -gt 0 ] || set -- bookworm trixie forky
top=$(cd ../.. && pwd)
mirror=${DEBIAN_MIRROR:-}
# the Python of each suite, for which Django's wheels are fetched; Django 5.2 supports all three
declare -A python=([bookworm]=3.11 [trixie]=3.13 [forky]=3.14)
django=("Django~=5.2.8" "psycopg[binary]~=3.2")
# async-timeout: redis wants it before Python 3.11.3, and pip judges that by the Python it runs on itself
servers=("gunicorn>=27" "uvicorn>=0.34" "celery[redis]~=5.4" async-timeout "django-db-connection-pool~=1.2.6")

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

# pip on this machine knows its index, proxy and certificates; a container would have to be told
wheels() {
    local suite=$1 destination=$2 machine
    machine=$(uname -m)
    "$top/.venv/bin/pip" download -q --disable-pip-version-check --dest "$destination" --only-binary=:all: \
        --python-version "${python[$suite]}" --platform "manylinux2014_$machine" --platform "manylinux_2_17_$machine" \
        --platform "manylinux_2_28_$machine" "${@:3}" 2> >(grep -v WARNING >&2)
}

build() {
    local suite=$1 context
    context=$(mktemp -d)
    wheels "$suite" "$context/wheels" "${django[@]}"
    cp Dockerfile lab-init "$context"
    build_image "$context" "djangoops-pooling-lab:$suite" "$(base_image "$suite")" "$(recipe_of "$suite")"
}

environments_of() { awk -v suite="$1" '$1 == suite' app.txt; }

app_recipe_of() {
    { cat app.Dockerfile; environments_of "$1"; echo "${servers[*]} $(recipe_of "$1")"; } | sha256sum | cut -c1-16
}

build_app() {
    local suite=$1 context name requirements
    context=$(mktemp -d)
    while read -r _ name requirements; do
        # shellcheck disable=SC2086
        wheels "$suite" "$context/wheels/$name" $requirements "${servers[@]}"
    done < <(environments_of "$suite")
    cp app.Dockerfile "$context/Dockerfile"
    build_image "$context" "djangoops-pooling-app:$suite" "djangoops-pooling-lab:$suite" "$(app_recipe_of "$suite")"
}

build_image() {
    local context=$1 image=$2 base=$3 recipe=$4
    docker build -q --build-arg "BASE=$base" --label "recipe=$recipe" -t "$image" "$context" >"$context/log" 2>&1 ||
        { tail -n 20 "$context/log" >&2; return 1; }
    rm -rf "$context"
}

# Build an image with a command, unless it is there and was built by this recipe.
provide() {
    local image=$1 recipe=$2 made
    made=$(docker image inspect -f '{{ index .Config.Labels "recipe" }}' "$image" 2>/dev/null || true)
    [ "$made" = "$recipe" ] && return
    echo "lab: building $image" >&2
    "${@:3}"
}

for suite; do
    provide "djangoops-pooling-lab:$suite" "$(recipe_of "$suite")" build "$suite"
    [ -z "$with_app" ] || provide "djangoops-pooling-app:$suite" "$(app_recipe_of "$suite")" build_app "$suite"
done
