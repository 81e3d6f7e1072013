# Ask the installed PgBouncer whether it would accept a candidate file, without opening a socket.
#   sh -c "$(cat check.sh)" KIND FILE        KIND is ini or userlist
# PgBouncer has no option for that. But it reads its whole configuration before it looks for something to listen on; with
# nothing to listen on, the last thing an accepted configuration says is "nowhere to listen on". A percent sign is written twice
# here, because the template module substitutes the candidate file for one.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cp "$1" "$work/candidate"
{
    case $0 in
        # the candidate ends in its only [pgbouncer] section, which the lines below continue
        ini) echo "%%include $work/candidate" ;;
        userlist) echo "[databases]"; echo "[pgbouncer]"; echo "auth_file = $work/candidate" ;;
    esac
    for key in listen_addr unix_socket_dir pidfile logfile user; do echo "$key ="; done
    echo "syslog = 0"
} >"$work/check.ini"
chown -R postgres: "$work"
said=$(timeout 10 runuser -u postgres -- /usr/sbin/pgbouncer "$work/check.ini" 2>&1 || true)
case $(echo "$said" | tail -n 1) in *"FATAL nowhere to listen on"*) ;; *) echo "$said" >&2; exit 1 ;; esac
if echo "$said" | grep -v 'FATAL nowhere to listen on' | grep -E ' (ERROR|WARNING|FATAL) ' >&2; then exit 1; fi
