#!/usr/bin/env bash
# Shows the idea: a second host, another key-value backend on it, traffic, one re-point, and the count of failed requests.
# Uses the host that `make up` started, or starts one of its own. Everything it starts ends with it.
set -euo pipefail
cd "$(dirname "$0")/../.."
wicker=$PWD/target/release/wicker
work=$(mktemp -d)
started=()
finish() {
    for pid in "${started[@]}"; do kill "$pid" 2>/dev/null || true; done
    for pid in "${started[@]}"; do wait "$pid" 2>/dev/null || true; done
    rm -rf "$work"
}
trap finish EXIT

say() { printf '\033[1m==> %s\033[0m\n' "$*"; }
# Waits until the command given succeeds; gives up after a minute.
await() {
    local what=$1; shift
    for _ in $(seq 600); do "$@" >/dev/null 2>&1 && return; sleep 0.1; done
    echo "$what did not happen within a minute; the hosts' logs:" >&2
    tail -n 20 "$work"/*.log >&2
    exit 1
}
# The listener of the host that the lattice names first, or nothing.
listener() { "$wicker" ps --output json 2>/dev/null | python3 -c 'import json, sys; http = json.load(sys.stdin)["hosts"][0]["http"]; print(http) if http else sys.exit(1)' 2>/dev/null; }

if ! "$wicker" ps >/dev/null 2>&1; then
    say "starting the first host, with the counter application"
    "$wicker" up examples/counter/wicker.yaml >"$work/first.log" 2>&1 &
    started+=($!)
    await "the first host's start" "$wicker" ps
fi
await "the first host's lease" listener
address=$(listener)
await "the counter's first answer" curl -fsS "http://$address/"

say "starting a second host, and a key-value store on it that keeps its data in NATS"
"$wicker" up --data "$work/second" --label role=second >"$work/second.log" 2>&1 &
started+=($!)
await "the second host's lease" bash -c "'$wicker' ps --output json | grep -q '\"role\": *\"second\"'"
cat >"$work/store.yaml" <<'YAML'
application: second-store
providers:
  store:
    builtin: keyvalue-nats
    placement: { labels: { role: second } }
YAML
"$wicker" deploy "$work/store.yaml"

say "sending requests to http://$address/ while the link is re-pointed"
touch "$work/go"
traffic() { while [ -e "$work/go" ]; do curl -s -o /dev/null -w '%{http_code}\n' --max-time 20 "http://$address/?[1-50]" || true; done >"$work/codes.$1"; }
callers=()
for caller in 1 2 3 4; do traffic "$caller" & callers+=($!); done
sent() { cat "$work"/codes.* | wc -l; }
more() { local until=$(($(sent) + 500)); await "traffic" bash -c "[ \$(cat '$work'/codes.* | wc -l) -ge $until ]"; }
more
before=$(curl -fsS "http://$address/")
"$wicker" link set counter wasi:keyvalue second-store/store
after=$(curl -fsS "http://$address/")
more
"$wicker" link set counter wasi:keyvalue keyvalue-redb
back=$(curl -fsS "http://$address/")
rm "$work/go"
for pid in "${callers[@]}"; do wait "$pid" || true; done

failed=$(cat "$work"/codes.* | grep -vc '^200$' || true)
say "the counter said $before, then $after from the other store on the other host, then $back back on the first"
say "requests sent: $(sent), failed: $failed"
"$wicker" undeploy second-store >/dev/null
[ "$failed" = 0 ]
