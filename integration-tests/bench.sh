#!/bin/bash
# Measures Wicker beside its peers and writes docs/benchmarks.md. Takes some minutes; wants a quiet machine with two
# cores or more. Every program prints one Markdown table: what it measures is in the comment at its top.
set -euo pipefail
cd "$(dirname "$0")/.."
page=docs/benchmarks.md
new=$(mktemp)
trap 'rm -f "$new"' EXIT

# part TITLE WHAT PACKAGE BENCH: runs one benchmark; one that fails says so in the page, and the others go on.
part() {
    printf '\n==> %s\n' "$1" >&2
    printf '\n## %s\n\n%s\n\n' "$1" "$2"
    if ! cargo bench --quiet --package "$3" --bench "$4" 2>"$new.log"; then
        printf 'Not measured: `cargo bench -p %s --bench %s` failed.\n' "$3" "$4"
        tail -5 "$new.log" >&2
    fi
    rm -f "$new.log"
}

# has BENCH: whether somebody has written it yet.
has() { [ -e "$1" ] || [ -e "$1.rs" ]; }

machine() {
    local model cores memory
    model=$(sed -n 's/^model name[[:space:]]*: //p' /proc/cpuinfo | head -1)
    cores=$(nproc)
    memory=$(awk '/^MemTotal/ { printf "%.0f GiB", $2 / 1048576 }' /proc/meminfo)
    printf '%s, %s cores, %s, Linux %s' "${model:-unknown processor}" "$cores" "$memory" "$(uname -r)"
}

{
    cat <<HEAD
# Benchmarks

Written by \`make bench\`; run it on your own machine. This run: $(date -u +%Y-%m-%d), $(machine), load
$(cut -d' ' -f1 /proc/loadavg) when it began; $(rustc --version), $(nats-server --version 2>/dev/null || echo 'nats-server of unknown version').

Compare ratios, not times: contestants take turns in one run, so ratios carry over to other machines and times do not.
HEAD
    part 'HTTP: one request' \
        'A greeting over keep-alive connections, 32 at once; servers on one core, a generator that never sleeps on another. CPU time of the server process, the kernel'"'"'s share included, divided by the requests it answered; the median of the rounds.' \
        integration-tests http
    if has host/engine/benches/calls; then
        part 'Calls on one host' 'Component to component, and through the direct codec.' wicker-engine calls
    fi
    if has lattice/benches/rpc; then
        part 'Calls between hosts' 'Lattice RPC beside a raw NATS request and reply.' wicker-lattice rpc
    fi
} >"$new"
mv "$new" "$page"
chmod 644 "$page"
printf '\nwrote %s\n' "$page" >&2
