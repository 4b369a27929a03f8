#!/bin/sh
# stage.sh <name> <command> ...: run one stage of a check between a headline and the time it took.
name=$1
shift
begin=$(date +%s)
printf '== %s\n' "$name"
"$@"
code=$?
# On stderr and before nothing else: a test runner's own summary stays the last line of standard output.
printf '== %s: %s s\n' "$name" "$(($(date +%s) - begin))" >&2
exit "$code"
