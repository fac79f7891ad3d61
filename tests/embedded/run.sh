#!/bin/sh
# Runs exported headers on an emulated Cortex-M4 and measures them: run.sh MODELS INCLUDE WORK CXX. MODELS is the program
# of models.cpp, INCLUDE the folder with cornu/, CXX a compiler for the host. Exits with 77 (skipped) without
# Debian's gcc-arm-none-eabi, libstdc++-arm-none-eabi-newlib or qemu-system-arm.
# shellcheck disable=SC2086  # variables hold several options
set -eu
models=$1 include=$2 work=$3 cxx=$4
sources=$include/cornu/tests/embedded

# model, its program here (NAME.cpp), the most bytes of flash (code, constants, initial values) and of RAM (all static
# memory: input, output, workspace), and the tolerances of the outputs against the host, where only the functions of the
# C library differ, and against the library: 1e-5, and the error of int8.
# 28 KB and 3.3 KB of mlp_int8 and 4.5 KB of gru are promised; the other limits are a little above what was measured.
# A model needs its lines in models.cpp, too.
table='
mlp         predict  104448   3379  1e-6  1e-5
mlp_int8    predict   28672   3379  1e-6  1e-2
lenet       predict  250880  27136  1e-6  1e-5
lenet_int8  predict   67584  27136  1e-6  1e-2
gru         predict    4608   2048  1e-6  1e-5
conv1d      predict    3584   3072  1e-6  1e-5
mlp_sgd     train      5120   4608  1e-5  1e-5
mlp_adam    train      5376   6144  1e-5  1e-5
'

skip() {
  echo "skipped: $1 was not found; './dev setup embedded' installs it"
  exit 77
}
command -v arm-none-eabi-g++ > /dev/null || skip gcc-arm-none-eabi
command -v qemu-system-arm > /dev/null || skip qemu-system-arm
echo '#include <type_traits>' | arm-none-eabi-g++ -x c++ -fsyntax-only - 2> /dev/null || skip libstdc++-arm-none-eabi-newlib

warnings='-Wall -Wextra -Wpedantic -Wshadow -Wconversion -Werror'
processor='-mcpu=cortex-m4 -mthumb -mfloat-abi=hard -mfpu=fpv4-sp-d16'
# compiled SOURCE OBJECT [option...]: with the options of docs/microcontrollers.md.
compiled() {
  source=$1 object=$2
  shift 2
  arm-none-eabi-g++ -std=c++17 $processor -Os -fno-exceptions -fno-rtti $warnings \
    -I"$include" "$@" -c "$source" -o "$object"
}
# linked PROGRAM OBJECT...: with newlib, but startup.cpp instead of its startup code, which needs a heap.
linked() {
  elf=$1
  shift
  arm-none-eabi-g++ $processor -nostartfiles -T "$sources/mps2_an386.ld" "$@" -o "$elf"
}

rm -rf "$work"
mkdir -p "$work"
"$models" "$work"
for name in startup minimal measure; do compiled "$sources/$name.cpp" "$work/$name.o"; done
"$cxx" -std=c++17 -O1 $warnings -I"$include" -c "$sources/compare.cpp" -o "$work/compare.o"

printf '%-12s %24s %31s\n' '' bytes 'difference from'
printf '%-12s %8s %7s %7s %13s %8s %8s\n' '' flash RAM stack instructions host library
failed=0
fail() {
  echo "$model: $*"
  failed=1
}
while read -r model program flash_limit ram_limit host library; do
  [ -n "$model" ] || continue
  cd "$work/$model"
  compiled "$sources/$program.cpp" program.o -I.
  linked minimal.elf program.o ../startup.o ../minimal.o
  linked measure.elf program.o ../startup.o ../measure.o
  "$cxx" -std=c++17 -O1 $warnings -I"$include" -I. "$sources/$program.cpp" ../compare.o -o compare

  # text: code and constants; data: static memory with initial values, which are in flash, too; bss: the rest of it.
  arm-none-eabi-size minimal.elf > size
  read -r text data bss _ <<SIZE
$(tail -n 1 size)
SIZE
  flash=$((text + data)) ram=$((data + bss))
  # A Cortex-M4 has no double precision: it would be emulated.
  ! arm-none-eabi-nm minimal.elf | grep -E ' T __aeabi_(d|f2d)' || fail 'computes with doubles'
  [ "$flash" -le "$flash_limit" ] || fail "$flash bytes of flash, more than $flash_limit"
  [ "$ram" -le "$ram_limit" ] || fail "$ram bytes of RAM, more than $ram_limit"

  # measure.cpp explains -icount.
  timeout 300 qemu-system-arm -machine mps2-an386 -nographic -monitor none -serial none -icount shift=0 \
    -semihosting-config enable=on,target=native -kernel measure.elf < /dev/null || { fail "the board ended with $?"; continue; }
  read -r stack instructions <<MEASURED
$(od -An -tu4 measured)
MEASURED
  differences=$(./compare "$host" "$library") || fail 'wrong outputs'
  printf '%-12s %8d %7d %7d %13d %s\n' "$model" "$flash" "$ram" "$stack" "$instructions" "$differences"
done <<TABLE
$table
TABLE
exit "$failed"
