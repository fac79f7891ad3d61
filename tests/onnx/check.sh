#!/bin/sh
# Exports models with Cornu and checks them with ONNX's own checker: check.sh TESTS_ONNX FOLDER. Exits with 77 (skipped)
# without python3-onnx.
set -eu
python=
for candidate in python3 /usr/bin/python3; do
  if "$candidate" -I -c 'import onnx.checker' 2> /dev/null; then python=$candidate; break; fi
done
[ -n "$python" ] || { echo "skipped: python3-onnx was not found"; exit 77; }
rm -rf "$2"
mkdir -p "$2"
CORNU_ONNX_FILES=$2 "$1" --gtest_brief=1 --gtest_filter='OnnxSave.AnExportedModelPredictsTheSame*:OnnxOfUsersLayers.Predicts*'
exec "$python" "$(dirname "$0")/check.py" "$2"
