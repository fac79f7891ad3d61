#!/bin/sh
# Compares random graphs with NumPy: random_graphs.sh TESTS_ONNX FOLDER. Exits with 77 (skipped) without python3-onnx.
set -eu
python=
for candidate in python3 /usr/bin/python3; do
  if "$candidate" -I -c 'import onnx.numpy_helper' 2> /dev/null; then python=$candidate; break; fi
done
[ -n "$python" ] || { echo "skipped: python3-onnx was not found"; exit 77; }
exec "$python" -B "$(dirname "$0")/random_graphs.py" --program "$1" --folder "$2" --count 400
