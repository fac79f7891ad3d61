#!/bin/sh
# Compares with the numbers of the PyTorch that is installed:
# `compare_afresh.sh <test program> <its tests> <script> <variable> <file>`. The script's numbers go to the file, which
# the variable names to the tests. Ends with 77, which ctest takes for skipped, where there is no PyTorch.
set -eu

for python in python3 /usr/bin/python3 ''; do
  [ -n "$python" ] || { echo "no python3 here has PyTorch"; exit 77; }
  ! "$python" -c 'import torch' 2>/dev/null || break
done

mkdir -p "$(dirname "$5")"
"$python" -W ignore "$3" >"$5"
env "$4=$5" "$1" --gtest_filter="$2" --gtest_brief=1
