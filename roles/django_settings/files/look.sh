# What is at the place of the settings ($1), as a line of JSON; $2 is the line by which the role knows its own file, $3 computes
# a checksum. Without $3 there is none: that of a file with a password in it is nobody's business. Then, if there is a Python
# ($4), what the program $5 says to the new settings.
kind() {
    if [ -f "$1" ] || [ -L "$1" ]; then echo file; elif [ -d "$1" ]; then echo directory; elif [ -e "$1" ]; then echo other; fi
}
answer() { if "$@" 2>/dev/null; then echo true; else echo false; fi; }
home=$(dirname "$1")
checksum=$([ -z "$3" ] || "$3" 2>/dev/null <"$1" | cut -d ' ' -f 1)
printf '{"kind": "%s", "own": %s, "checksum": "%s", "access": "%s", "home": "%s", "writable": %s}\n' "$(kind "$1")" \
    "$(answer grep -qxF -- "$2" "$1")" "$checksum" "$(stat -L -c '%U %G 0%a' "$1" 2>/dev/null)" "$(kind "$home")" "$(answer [ -w "$home" ])"
[ -z "$4" ] || exec "$4" -c "$5"
