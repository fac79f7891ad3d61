#!/bin/sh
# Installed headers include the standard library and each other, nothing else: public_headers.sh PREFIX WORK CXX
# What the standard headers themselves reach is found by compiling all of them; the rest has no business here.
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

# paths_of FILE: every file that it includes, one a line, links resolved.
paths_of() {
  "$cxx" -std=c++20 -I"$include" -M "$1" | sed 's/^[^:]*://; s/\\$//' | tr -s ' ' '\n' | grep . |
    while read -r path; do readlink -f "$path"; done | sort -u
}

# foreign FILE: the included paths that are neither the standard library's nor Cornu's.
foreign() {
  paths_of "$1" > "$work/all"
  grep -vxF -f "$work/standard" "$work/all" | grep -v -e "^$include/cornu/" -e "^$(readlink -f "$1")$" || true
}

include=$(readlink -f "$prefix/include")
for header in $standard; do
  printf '#if __has_include(<%s>)\n#include <%s>\n#endif\n' "$header" "$header"
done > "$work/standard.cpp"
paths_of "$work/standard.cpp" > "$work/standard"

# First the check itself: it must see a header that is not the standard library's.
printf '#include <cornu/cornu.h>\n#include <fmt/format.h>\n' > "$work/foreign.cpp"
foreign "$work/foreign.cpp" | grep -q '/fmt/format\.h$' || { echo "public_headers: does not find fmt"; exit 1; }

# Then every installed header, cornu.h among them.
(cd "$include" && find cornu -name '*.h' | sort | sed 's/.*/#include <&>/') > "$work/headers.cpp"
found=$(foreign "$work/headers.cpp")
[ -z "$found" ] || { printf 'The installed headers include:\n%s\n' "$found"; exit 1; }

# <filesystem> costs each of a user's files too much: docs/decisions/build.md.
found=$(grep -rl '#include <filesystem>' "$include/cornu" || true)
[ -z "$found" ] || { printf '<filesystem> is included by:\n%s\n' "$found"; exit 1; }

# What no user includes, nor any header that users include, is not there.
[ ! -e "$include/cornu/formats/zip.h" ] || { echo "formats/zip.h is installed, which is for formats/*.cpp alone"; exit 1; }
echo "$(grep -c . "$work/headers.cpp") headers include the standard library and each other alone"
