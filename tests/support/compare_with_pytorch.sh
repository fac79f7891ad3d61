#!/bin/sh
# Compares Cornu with the installed PyTorch. Runs a Python script, stores its output in a file, and runs a test program
# that finds the file's path in an environment variable:
#     compare_with_pytorch.sh <script> <variable> <test program> <its tests> <work folder>
# Exits with 77, which ctest reports as skipped, if there is no PyTorch.
set -eu

mkdir -p "$5"
sh "$(dirname "$0")/pytorch.sh" "$1" >"$5/numbers.txt"
env "$2=$5/numbers.txt" "$3" --gtest_filter="$4" --gtest_brief=1
