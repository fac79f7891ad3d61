#!/bin/sh
# Exchanges files with the installed NumPy in both directions:
#     compare_with_numpy.sh <test program> <work folder>
# Exits with 77, which ctest reports as skipped, if NumPy is not installed.
set -eu
arrays=$(dirname "$0")/fixtures/arrays.py

for python in python3 /usr/bin/python3 ''; do
  [ -n "$python" ] || { echo "no python3 here has NumPy"; exit 77; }
  ! "$python" -c 'import numpy' 2>/dev/null || break
done

rm -rf "$2"
mkdir -p "$2"
"$python" "$arrays" "$2"
CORNU_NUMPY=$2 "$1" --gtest_filter='NumPy.*' --gtest_brief=1
# A build without libzip writes nothing to compare.
[ ! -e "$2/written" ] || "$python" "$arrays" "$2" --check
