#!/bin/sh
# ThreadSanitizer has nothing to say about t/races, and something about the race planted in
# t/races_planted. Run in the build directory, which need not be that of the sources.

test -x t/races && test -x t/races_planted || {
    echo 'the compiler has no ThreadSanitizer (Debian package: libtsan2, with gcc)'
    exit 77
}
log=races.$$
trap 'rm -f "$log"' EXIT
TSAN_OPTIONS=halt_on_error=1:exitcode=66
export TSAN_OPTIONS

# Where addresses are more random than the sanitizer can bear, without that.
run() {
    "$1" >"$log" 2>&1
    status=$?
    if grep -q 'unexpected memory mapping' "$log"; then
        setarch "$(uname -m)" -R "$1" >"$log" 2>&1
        status=$?
    fi
}

fail() {
    cat "$log"
    echo "races.sh: $1"
    exit 1
}

run t/races
test "$status" -eq 0 || fail "t/races ended with $status"
run t/races_planted
test "$status" -eq 66 || fail "t/races_planted ended with $status: the planted race was missed"
grep -q 'WARNING: ThreadSanitizer: data race' "$log" || fail 'no data race in the report'
