#!/bin/bash
# Measures Wicker beside its peers and writes docs/benchmarks.md. Takes some minutes; wants a quiet machine with two
# cores or more. Every program prints one Markdown table: what it measures is in the comment at its top.
set -euo pipefail
cd "$(dirname "$0")/.."
page=docs/benchmarks.md
new=$(mktemp)
trap 'rm -f "$new"*' EXIT

# part TITLE WHAT COMMAND...: runs one benchmark; one that fails says so in the page, and the others go on.
part() {
    local title=$1 what=$2
    shift 2
    printf '\n==> %s\n' "$title" >&2
    printf '\n## %s\n\n%s\n\n' "$title" "$what"
    if "$@" >"$new.out" 2>"$new.log"; then
        # Lines that tell of goals go to the table at the top; the rest is Markdown as it is, or columns of text.
        sed -n 's/^goal: //p' "$new.out" >>"$new.goals"
        sed -i '/^goal: /d' "$new.out"
        if grep -q '^|' "$new.out"; then cat "$new.out"; else printf '```text\n%s\n```\n' "$(cat "$new.out")"; fi
    else
        printf 'Not measured: `%s` failed.\n' "$*"
        tail -5 "$new.log" >&2
    fi
    rm -f "$new.log" "$new.out"
}

machine() {
    local model cores memory
    model=$(sed -n 's/^model name[[:space:]]*: //p' /proc/cpuinfo | head -1)
    cores=$(nproc)
    memory=$(awk '/^MemTotal/ { printf "%.0f GiB", $2 / 1048576 }' /proc/meminfo)
    printf '%s, %s cores, %s, Linux %s' "${model:-unknown processor}" "$cores" "$memory" "$(uname -r)"
}

goals() {
    cat <<HEAD
# Benchmarks

Written by \`make bench\`; run it on your own machine. This run: $(date -u +%Y-%m-%d), $(machine), load
$load when it began; $(rustc --version), $(nats-server --version 2>/dev/null || echo 'nats-server of unknown version').

Compare ratios, not times: contestants take turns in one run, so ratios carry over to other machines and times do not.

| what | contestant | figure | ratio | goal | reached |
|---|---|---|---|---|---|
HEAD
    cat "$new.goals"
}

load=$(cut -d' ' -f1 /proc/loadavg)
: >"$new.goals"
{
    part 'HTTP: one request' \
        'A greeting over keep-alive connections, 32 at once; servers on one core, a generator that never sleeps on another. CPU time of the server process, the kernel'"'"'s share included, divided by the requests it answered; the median of the rounds.' \
        cargo bench --quiet -p integration-tests --bench http
    part 'Cold start' \
        'A component whose compiled artifact lies in the cache and that is not loaded, until its first response, in a running engine.' \
        cargo bench --quiet -p wicker-engine --bench cold
    part 'Many components' \
        'A small component under a thousand digests, each an actor that nobody calls: anonymous memory and mappings of the process, and the first request of each.' \
        cargo bench --quiet -p wicker-engine --bench density
    part 'Calls on one host' \
        'Component to component over a link, and 64 KiB across it; through the direct codec, and through wasmtime'"'"'s dynamic values for comparison.' \
        cargo bench --quiet -p wicker-engine --bench calls
    part 'Calls between processes' \
        'A unary call of lattice RPC (to a component or to a provider: there is no difference on the wire) beside a raw NATS request and reply through the same server.' \
        cargo run --quiet --release -p wicker-lattice --features testing --example rpc_latency
    part 'A whole host' \
        'Starting, computing, streaming, connections, links, doing nothing, growing, and 5,000 components; every part says in its own file how it measures.' \
        cargo bench --quiet -p integration-tests --bench host
} >"$new"
{ goals; cat "$new"; } >"$page"
chmod 644 "$page"
printf '\nwrote %s\n' "$page" >&2
