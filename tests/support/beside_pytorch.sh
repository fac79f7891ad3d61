#!/bin/sh
# Compares with the numbers of the PyTorch that is installed: what a script prints, by a test program that reads the file
# that a variable names: `beside_pytorch.sh <script> <variable> <test program> <its tests> <work folder>`.
# Ends with 77, which ctest takes for skipped, where there is none.
set -eu

mkdir -p "$5"
sh "$(dirname "$0")/pytorch.sh" "$1" >"$5/numbers.txt"
env "$2=$5/numbers.txt" "$3" --gtest_filter="$4" --gtest_brief=1
