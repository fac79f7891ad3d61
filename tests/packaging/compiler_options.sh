#!/bin/sh
# Checks the errors for unsupported compiler options: compiler_options.sh PREFIX WORK CXX CONSUMER
# The compiler, or for library mismatches the linker, must name the cause, and no program must be built.
set -eu
prefix=$1 work=$2 cxx=$3 consumer=$4
mkdir -p "$work"

# refused TEXT HEADER OPTION...: a program that includes this header must fail with only two errors: TEXT, and that the
# compilation stops here.
refused() {
  text=$1 header=$2
  shift 2
  printf '#include <%s>\nint main() {}\n' "$header" > "$work/program.cpp"
  if "$cxx" -I"$prefix/include" "$@" -fsyntax-only "$work/program.cpp" > "$work/errors" 2>&1; then
    echo "compiler_options: $header compiles with $*"; exit 1
  fi
  grep -E ': (fatal )?error: ' "$work/errors" > "$work/found"
  if ! sed -n 1p "$work/found" | grep -q "$text" || ! sed -n 2p "$work/found" | grep -q 'the compilation stops here' ||
    [ "$(grep -c . "$work/found")" != 2 ]; then
    echo "compiler_options: $header with $*: the errors are not only '$text':"; head -n 5 "$work/found"; exit 1
  fi
}

headers=$(cd "$prefix/include" && find cornu -name '*.h' | sort)
for header in $headers; do
  refused 'Cornu needs C++20: compile with -std=c++20' "$header" -std=c++17
done
for header in cornu/cornu.h cornu/core/tensor.h cornu/layers/layer.h; do
  refused 'Cornu needs RTTI and exceptions' "$header" -std=c++20 -fno-rtti
  refused 'Cornu needs RTTI and exceptions' "$header" -std=c++20 -fno-exceptions
done

# not_linked SYMBOL LIBRARY OPTION...: a library built for a different Real, or different containers, must not link.
libdir=$(dirname "$(find "$prefix" -name 'libcornu.*' | head -n 1)")
not_linked() {
  symbol=$1 library=$2
  shift 2
  "$cxx" -std=c++20 -I"$prefix/include" "$@" -c "$consumer/main.cpp" -o "$work/program.o"
  if "$cxx" "$work/program.o" -L"$libdir" "-l$library" -o "$work/program" > "$work/errors" 2>&1; then
    echo "compiler_options: $library links to a program with $*"; exit 1
  fi
  grep -q "undefined reference to .*$symbol" "$work/errors" || {
    echo "compiler_options: $library with $*: the linker does not name $symbol:"; head -n 5 "$work/errors"; exit 1
  }
}
not_linked library_with_real_double cornu -DCORNU_REAL_DOUBLE
not_linked library_with_real_float cornu_double
not_linked library_with_real_float_and_glibcxx_debug cornu -D_GLIBCXX_DEBUG
echo "unsupported options are reported"
