#!/bin/sh
# Ask the installed PgBouncer whether it would accept a candidate file, without opening a socket.
#   djangoops-pgbouncer-check ini|userlist FILE
# PgBouncer has no option for that. But it reads its whole configuration before it looks for something to listen on;
# with nothing to listen on, the last thing an accepted configuration says is "nowhere to listen on".
set -eu
kind=$1 candidate=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cp "$candidate" "$work/candidate"
{
    case $kind in
        # the candidate ends in its only [pgbouncer] section, which the lines below continue
        ini) echo "%include $work/candidate" ;;
        userlist) printf '[databases]\n[pgbouncer]\nauth_file = %s/candidate\n' "$work" ;;
    esac
    printf 'listen_addr =\nunix_socket_dir =\npidfile =\nlogfile =\nsyslog = 0\nuser =\n'
} >"$work/check.ini"
chown -R postgres: "$work"
said=$(timeout 10 runuser -u postgres -- /usr/sbin/pgbouncer "$work/check.ini" 2>&1 || true)
case $(echo "$said" | tail -n 1) in *"FATAL nowhere to listen on"*) ;; *) echo "$said" >&2; exit 1 ;; esac
if echo "$said" | grep -v 'FATAL nowhere to listen on' | grep -E ' (ERROR|WARNING|FATAL) ' >&2; then exit 1; fi
