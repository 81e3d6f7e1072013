#!/usr/bin/env bash
# Everything that lab/demo and tests/run need, made where it is missing: Python's venv module, the virtual
# environment, the collections, Docker and the images. To be sourced; then
#   setup_tools               all but Docker and images
#   setup_lab SUITE...        Docker and the images of these suites
top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# Ansible, Molecule and ansible-lint keep all of theirs (collections, caches) below the checkout
export ANSIBLE_HOME=$top/.ansible
export PATH=$top/.venv/bin:$PATH
export MOLECULE_GLOB="molecule/*/molecule.yml"
# with sudo the checkout belongs to somebody else, which git refuses to read unless told
export GIT_CONFIG_COUNT=1 GIT_CONFIG_KEY_0=safe.directory GIT_CONFIG_VALUE_0=$top
self=$ANSIBLE_HOME/collections/ansible_collections/djangoops/pooling

setup_step() { printf '%s  %s\n' "$(date +%T)" "$*" >&2; }

setup_python() {
    if ! python3 -c 'import ensurepip, venv' 2>/dev/null; then
        [ "$(id -u)" = 0 ] || { echo "python3-venv is missing: run this as root (sudo), or install it." >&2; return 1; }
        setup_step "installing python3-venv"
        apt-get update -qq
        DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends python3-venv ca-certificates >/dev/null
    fi
    python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' || {
        echo "Python 3.11 or newer is needed (Debian 12, Ubuntu 24.04 or newer); this is $(python3 --version)." >&2
        return 1
    }
    if ! cmp -s "$top/requirements-dev.txt" "$top/.venv/installed.txt"; then
        setup_step "making the virtual environment .venv"
        python3 -m venv "$top/.venv"
        pip install --quiet --disable-pip-version-check -r "$top/requirements-dev.txt" 2> >(grep -v WARNING >&2)
        cp "$top/requirements-dev.txt" "$top/.venv/installed.txt"
    fi
}

setup_collections() {
    mkdir -p "$(dirname "$self")"
    # the checkout itself is the installed collection: no copy that goes stale
    ln -sfn ../../../.. "$self"
    if ! cmp -s "$top/requirements.yml" "$ANSIBLE_HOME/requirements.yml"; then
        setup_step "installing the collections"
        ansible-galaxy collection install -r "$top/requirements.yml" >"$ANSIBLE_HOME/galaxy.log" 2>&1 ||
            python "$top/lab/collections_from_pypi.py" "$top/requirements.yml" "$ANSIBLE_HOME/collections"
        cp "$top/requirements.yml" "$ANSIBLE_HOME/requirements.yml"
    fi
}

# not joined by &&, within which set -e does not count: what fails halfway would be taken for done
setup_tools() {
    setup_python
    setup_collections
}

setup_lab() {
    "$top/lab/docker.sh"
    "$top/lab/images/build.sh" "$@"
}
