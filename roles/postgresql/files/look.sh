# What is there, as JSON: clusters, what the Ansible modules need, the distribution, and the marker of a first run ($1).
clusters=$(pg_lsclusters --no-header 2>/dev/null | sed 's/["\\]//g; s/.*/"&",/')
module=$(dpkg-query --show --showformat='${db:Status-Status}' "$2" 2>/dev/null)
. /etc/os-release
printf '{"clusters": [%s], "module": %s, "codename": "%s", "marker": "%s"}\n' "${clusters%,}" \
    "$([ "$module" = installed ] && echo true || echo false)" "${VERSION_CODENAME:-}" "$(cat "$1" 2>/dev/null)"
