# Sourced by scripts that download: `patiently WHAT COMMAND …` runs a command, and says every 5 s that it still does.

patiently() {
    local what=$1 status=0
    shift
    while sleep 5 >/dev/null && kill -0 $$; do echo "  still $what (${SECONDS} s since the start)"; done 2>/dev/null &
    heartbeat=$!
    "$@" || status=$?
    kill "$heartbeat" 2>/dev/null || true
    wait "$heartbeat" 2>/dev/null || true
    heartbeat=
    return "$status"
}
heartbeat=
trap '[ -z "$heartbeat" ] || kill "$heartbeat" 2>/dev/null || true' EXIT
