#!/bin/sh
# Checks that installed headers include only the standard library and each other: public_headers.sh PREFIX WORK CXX
# Compiling all standard headers finds the files that they include; any other file is an error.
set -eu
prefix=$1 work=$2 cxx=$3
mkdir -p "$work"

standard='algorithm any array atomic barrier bit bitset cassert cctype cerrno cfenv cfloat charconv chrono cinttypes
  climits clocale cmath codecvt compare complex concepts condition_variable coroutine csetjmp csignal cstdarg cstddef
  cstdint cstdio cstdlib cstring ctime cuchar cwchar cwctype deque exception execution filesystem format forward_list
  fstream functional future initializer_list iomanip ios iosfwd iostream istream iterator latch limits list locale map
  memory memory_resource mutex new numbers numeric optional ostream queue random ranges ratio regex scoped_allocator
  semaphore set shared_mutex source_location span sstream stack stdexcept stop_token streambuf string string_view
  syncstream system_error thread tuple type_traits typeindex typeinfo unordered_map unordered_set utility valarray
  variant vector version'

# paths_of FILE: prints all files that it includes, one per line, with links resolved.
paths_of() {
  "$cxx" -std=c++20 -I"$include" -M "$1" | sed 's/^[^:]*://; s/\\$//' | tr -s ' ' '\n' | grep . |
    while read -r path; do readlink -f "$path"; done | sort -u
}

# foreign FILE: prints the included files that belong neither to the standard library nor to Cornu.
foreign() {
  paths_of "$1" > "$work/all"
  grep -vxF -f "$work/standard" "$work/all" | grep -v -e "^$include/cornu/" -e "^$(readlink -f "$1")$" || true
}

include=$(readlink -f "$prefix/include")
for header in $standard; do
  printf '#if __has_include(<%s>)\n#include <%s>\n#endif\n' "$header" "$header"
done > "$work/standard.cpp"
paths_of "$work/standard.cpp" > "$work/standard"

# Test the check itself: it must find a foreign header.
printf '#include <cornu/cornu.h>\n#include <fmt/format.h>\n' > "$work/foreign.cpp"
foreign "$work/foreign.cpp" | grep -q '/fmt/format\.h$' || { echo "public_headers: does not find fmt"; exit 1; }

# Check all installed headers.
(cd "$include" && find cornu -name '*.h' | sort | sed 's/.*/#include <&>/') > "$work/headers.cpp"
found=$(foreign "$work/headers.cpp")
[ -z "$found" ] || { printf 'The installed headers include:\n%s\n' "$found"; exit 1; }

# <filesystem> is too slow to compile in every user's file: docs/decisions/build.md.
found=$(grep -rl '#include <filesystem>' "$include/cornu" || true)
[ -z "$found" ] || { printf '<filesystem> is included by:\n%s\n' "$found"; exit 1; }

# Internal headers must not be installed.
[ ! -e "$include/cornu/formats/zip.h" ] || { echo "formats/zip.h is installed, but it is internal"; exit 1; }
echo "$(grep -c . "$work/headers.cpp") headers include only the standard library and each other"
