#!/bin/sh
# Compares with the numbers of the PyTorch that is installed: what a script prints, by a test program that reads the file
# that a variable names: `beside_pytorch.sh <script> <variable> <test program> <its tests> <work folder>`.
# Ends with 77, which ctest takes for skipped, where there is none.
set -eu

for python in python3 /usr/bin/python3 ''; do
  [ -n "$python" ] || { echo "no python3 here has PyTorch"; exit 77; }
  ! "$python" -c 'import torch' 2>/dev/null || break
done

mkdir -p "$5"
"$python" -W ignore "$1" >"$5/numbers.txt"
env "$2=$5/numbers.txt" "$3" --gtest_filter="$4" --gtest_brief=1
