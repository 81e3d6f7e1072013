#!/usr/bin/env bash
# See to it that a Docker daemon answers: install the distribution's if there is none, start it if it is down.
# A daemon that this script started itself (no systemd) is stopped again by `lab/docker.sh stop`.
set -euo pipefail
pidfile=/run/djangoops-pooling-dockerd.pid
log=/var/log/djangoops-pooling-dockerd.log

if [ "${1:-}" = stop ]; then
    [ -e "$pidfile" ] || exit 0
    # only the process that we started: its id is in the file, and it still is a dockerd
    pid=$(cat "$pidfile")
    if [ "$(cat "/proc/$pid/comm" 2>/dev/null)" = dockerd ]; then
        kill "$pid"
        for _ in $(seq 60); do [ -d "/proc/$pid" ] || break; sleep 0.5; done
    fi
    rm -f "$pidfile"
    exit 0
fi

docker version >/dev/null 2>&1 && exit 0
[ "$(id -u)" = 0 ] || { echo "Docker does not answer here: run this as root (sudo), it installs and starts Docker." >&2; exit 1; }
if ! command -v dockerd >/dev/null; then
    echo "lab: installing Docker from the distribution" >&2
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -qq
    # Debian 13 keeps the client in a package of its own
    cli=$(apt-cache pkgnames docker-cli | grep -x docker-cli || true)
    # shellcheck disable=SC2086
    apt-get install -y -qq --no-install-recommends docker.io $cli iptables ca-certificates >/dev/null
fi
if [ -d /run/systemd/system ]; then
    systemctl start docker
else
    # stale after a kill -9 or a restart of the machine: dockerd refuses to start over it
    if [ -e /run/docker.pid ] && ! kill -0 "$(cat /run/docker.pid)" 2>/dev/null; then rm -f /run/docker.pid; fi
    setsid nohup dockerd >"$log" 2>&1 </dev/null &
    echo $! >"$pidfile"
fi
for _ in $(seq 120); do docker version >/dev/null 2>&1 && exit 0; sleep 0.5; done
echo "lab: the Docker daemon does not answer after 60 s" >&2
[ ! -e "$log" ] || tail -n 20 "$log" >&2
exit 1
