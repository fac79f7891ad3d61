#!/bin/sh
# Runs a script with the first python3 that has PyTorch: `pytorch.sh <script> [argument...]`.
# Exits with 77, which ctest reports as skipped, if there is none.
set -eu

for python in python3 /usr/bin/python3 ''; do
  [ -n "$python" ] || { echo "no python3 with PyTorch was found" >&2; exit 77; }
  ! "$python" -c 'import torch' 2>/dev/null || break
done

exec "$python" -B -W ignore "$@"
