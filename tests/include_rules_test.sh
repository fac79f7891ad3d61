#!/bin/sh
# Tests include_rules.sh: it must report each violation, one at a time in a scratch tree.
set -eu
rules=$(dirname "$0")/include_rules.sh
tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT
failures=0

fresh() {
  rm -rf "${tree:?}"/*
  mkdir -p "$tree"/core/autodiff "$tree"/core/kernels "$tree"/core/ops "$tree"/core/options "$tree"/core/text "$tree"/layers/rnn "$tree"/layers "$tree"/optim "$tree"/formats "$tree"/datasets "$tree"/models "$tree"/onnx "$tree"/tests/core
  for folder in core core/autodiff core/kernels core/ops core/options core/text layers layers/rnn optim formats datasets models onnx; do echo '#pragma once' > "$tree/$folder/a.h"; done
  for header in parameter regularizer autodiff/tape; do echo '#pragma once' > "$tree/core/$header.h"; done
  printf '#include <cblas.h>\n#include "cornu/core/a.h"\n' > "$tree/core/kernels/blas.cpp"
  printf '#include "cornu/core/kernels/a.h"\n#include "cornu/core/autodiff/tape.h"\n' > "$tree/core/ops/good.cpp"
  printf '#include "cornu/core/kernels/a.h"\n' > "$tree/core/autodiff/tape.cpp"
  printf '#include "cornu/core/ops/a.h"\n#include "cornu/layers/a.h"\n' > "$tree/layers/rnn/good.cpp"
  printf '#include "cornu/core/a.h"\n#include <vector>\n' > "$tree/layers/good.cpp"
  printf '#include "cornu/layers/a.h"\n#include "cornu/optim/a.h"\n#include "cornu/datasets/a.h"\n#include "cornu/formats/a.h"\n' > "$tree/models/good.cpp"
  printf '#include "cornu/core/a.h"\n' > "$tree/cornu.h"
  printf '#include <cornu/cornu.h>\n#include "cornu/models/a.h"\n' > "$tree/tests/core/good.cpp"
}

# refused FILE LINE TEXT: with this line added to the file, the rules must fail with TEXT.
refused() {
  fresh
  printf '%s\n' "$2" >> "$tree/$1"
  if output=$(sh "$rules" "$tree"); then
    echo "not refused: $2 in $1"; failures=1
  elif ! printf '%s' "$output" | grep -qF -- "$3"; then
    echo "refused with a different text: $2 in $1: $output"; failures=1
  fi
}

fresh
sh "$rules" "$tree" || { echo "a good tree was refused"; failures=1; }

refused core/b.cpp '#include "cornu/layers/a.h"' 'core/b.cpp:1: core may include only core core/text, not "cornu/layers/a.h"'
refused core/a.h '#include "cornu/models/a.h"' 'core/a.h:2: core may include only core core/text'
refused core/b.cpp '#include "cornu/cornu.h"' 'core may include only core core/text'
refused layers/b.cpp '  # include "cornu/optim/a.h"' 'layers may include only core layers'
refused optim/b.cpp '#include "cornu/datasets/a.h"' 'optim may include only core optim'
refused datasets/b.h '#include "cornu/layers/a.h"' 'datasets may include only core formats datasets'
refused formats/b.cpp '#include "cornu/datasets/a.h"' 'formats may include only core formats'
refused layers/b.cpp '#include <cornu/models/a.h>' 'layers may include only core layers'
refused models/b.cpp '#include "cornu/tests/core/good.cpp"' 'models may include'
refused models/b.cpp '#include "cornu/onnx/a.h"' 'models may include only core layers optim formats datasets models'
refused core/b.cpp '#include "cornu/core/ops/a.h"' 'core may include only core core/text'
refused core/b.cpp '#include "cornu/core/autodiff/tape.h"' 'core may include only core core/text'
refused core/autodiff/tape.cpp '#include "cornu/core/ops/a.h"' 'core/autodiff may include only core core/text core/autodiff'
refused core/autodiff/b.cpp '#include "cornu/core/kernels/a.h"' 'core/autodiff may include only core core/text core/autodiff'
refused core/kernels/b.cpp '#include "cornu/core/ops/a.h"' 'core/kernels may include only core core/text core/kernels'
refused core/kernels/b.cpp '#include "cornu/core/autodiff/tape.h"' 'core/kernels may include only core core/text core/kernels'
refused core/kernels/b.cpp '#include "cornu/core/parameter.h"' 'kernels must not use the tape'
refused core/options/b.cpp '#include "cornu/core/autodiff/tape.h"' 'core/options may include only core core/text core/options'
refused core/options/b.cpp '#include "cornu/core/kernels/a.h"' 'core/options may include only core core/text core/options'
refused core/options/b.cpp '#include "cornu/core/ops/a.h"' 'core/options may include'
refused core/ops/b.cpp '#include "cornu/core/options/a.h"' 'core/ops may include only core core/text core/autodiff core/kernels core/ops'
refused core/ops/b.cpp '#include "cornu/layers/a.h"' 'core/ops may include'
refused layers/rnn/b.cpp '#include "cornu/optim/a.h"' 'layers may include only core layers'
refused core/b.cpp '#include <cblas.h>' 'only core/kernels/blas.cpp may include cblas.h'
refused tests/core/b.cpp '#include <openblas/cblas.h>' 'only core/kernels/blas.cpp may include cblas.h'
refused core/b.cpp '#include "a.h"' '"a.h": a header of the project is included as "cornu/..."'
refused tests/core/b.cpp '#include "../core/a.h"' 'a header of the project is included as "cornu/..."'
refused core/b.cpp '#include <cornu/core/a.h>' 'inside the library, write "cornu/core/a.h"'
refused core/b.cpp '#include "cornu/core/gone.h"' 'there is no such file'
refused core/b.cpp '  fmt::print(stderr, "a");' 'fmt::print throws if the output cannot be written'

rm -rf "${tree:?}"/*
if sh "$rules" "$tree" > /dev/null; then echo "an empty tree was accepted"; failures=1; fi
exit "$failures"
