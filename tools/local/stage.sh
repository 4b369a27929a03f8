#!/bin/sh
# stage.sh <name> <command> ...: run one stage of a check between a headline and the time it took.
name=$1
shift
begin=$(date +%s)
printf '== %s\n' "$name"
"$@"
code=$?
printf '== %s took %s s\n' "$name" "$(($(date +%s) - begin))"
exit "$code"
