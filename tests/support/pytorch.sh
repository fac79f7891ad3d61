#!/bin/sh
# Runs a script by the python3 here that has PyTorch: `pytorch.sh <script> [argument...]`.
# Ends with 77, which ctest takes for skipped, where there is none.
set -eu

for python in python3 /usr/bin/python3 ''; do
  [ -n "$python" ] || { echo "no python3 here has PyTorch" >&2; exit 77; }
  ! "$python" -c 'import torch' 2>/dev/null || break
done

exec "$python" -B -W ignore "$@"
