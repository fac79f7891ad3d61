#!/bin/sh
# Compiles Cornu's headers in programs with conflicting names: collisions.sh PREFIX WORK CXX
# - macros of Qt, Windows, X11 and curses, defined before a header of Cornu is included;
# - both `using namespace std` and `using namespace cornu`.
set -eu
prefix=$1 work=$2 cxx=$3
mkdir -p "$work"
cd "$prefix/include"

# Standard headers come first, as in such programs: they do not compile after these macros themselves.
standard='algorithm array atomic chrono cmath complex concepts condition_variable deque exception filesystem fstream
  functional future initializer_list iostream iterator limits list map memory mutex new numbers numeric optional ostream
  random ranges regex set span sstream stdexcept stop_token string string_view thread tuple type_traits unordered_map
  unordered_set utility valarray variant vector'
for header in $standard; do echo "#include <$header>"; done > "$work/standard.h"
find cornu -name '*.h' | sort | sed 's/.*/#include <&>/' > "$work/cornu.h"

# compiles FILE [option...]
compiles() { "$cxx" -std=c++20 -I. -I"$work" -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Werror -fsyntax-only "$@"; }

# macros NAME: compiles the headers after the macros on standard input.
macros() {
  { echo '#include "standard.h"'; cat; echo '#include "cornu.h"'; } > "$work/$1.cpp"
  compiles "$work/$1.cpp" || { echo "collisions: a header does not compile with the macros of $1"; exit 1; }
}

macros qt <<'MACROS'
#define slots
#define signals public
#define emit
#define foreach(variable, container) for (variable : container)
#define forever for (;;)
MACROS

macros windows <<'MACROS'
#define min(a, b) (((a) < (b)) ? (a) : (b))
#define max(a, b) (((a) > (b)) ? (a) : (b))
#define near
#define far
#define small char
#define interface struct
#define IN
#define OUT
#define OPTIONAL
#define CONST const
#define VOID void
#define TRUE 1
#define FALSE 0
#define ERROR 0
#define NO_ERROR 0L
#define DELETE (0x00010000L)
#define STRICT 1
#define IGNORE 0
#define INFINITE 0xFFFFFFFF
#define ABSOLUTE 1
#define RELATIVE 2
#define TRANSPARENT 1
#define OPAQUE 2
#define CALLBACK
#define PASCAL
#define THIS void
#define DIFFERENCE 11
#define CreateFile CreateFileA
#define CopyFile CopyFileA
#define DeleteFile DeleteFileA
#define DrawText DrawTextA
#define GetMessage GetMessageA
#define GetObject GetObjectA
#define LoadImage LoadImageA
#define SendMessage SendMessageA
#define Yield()
MACROS

macros x11 <<'MACROS'
#define Above 0
#define Always 2
#define Below 1
#define Bool int
#define ButtonPress 4
#define Complex 0
#define CurrentTime 0L
#define CursorShape 0
#define False 0
#define FocusIn 9
#define FocusOut 10
#define KeyPress 2
#define KeyRelease 3
#define LineSolid 0
#define Never 0
#define None 0L
#define NoSymbol 0L
#define Status int
#define Success 0
#define True 1
#define Unsorted 0
#define YSorted 1
MACROS

# In C++, curses.h defines constants, colours, keys and these; its functions are macros only in C.
macros curses <<'MACROS'
#define ERR (-1)
#define OK (0)
#define TRUE 1
#define FALSE 0
#define A_NORMAL 0
#define COLOR_RED 1
#define KEY_BREAK 0401
#define ACS_BLOCK 0
#define getyx(w, y, x) (y = getcury(w), x = getcurx(w))
#define getbegyx(w, y, x) (y = getbegy(w), x = getbegx(w))
#define getmaxyx(w, y, x) (y = getmaxy(w), x = getmaxx(w))
#define getparyx(w, y, x) (y = getpary(w), x = getparx(w))
#define getsyx(y, x) (y = 0, x = 0)
#define setsyx(y, x) (y, x)
MACROS

# Older GNU dialects define these, and older versions of <sys/types.h> the last two.
macros unix <<'MACROS'
#define linux 1
#define unix 1
#define major(device) gnu_dev_major(device)
#define minor(device) gnu_dev_minor(device)
MACROS

# Looks up every name at namespace scope together with all names of the standard library. Only errors about ambiguous
# names count; naming an overloaded function causes others.
find cornu -name '*.h' -exec sed 's|//.*||' {} + | grep -E '^[A-Za-z]' |
  sed -nE 's/^(struct|class|enum class|concept|using) +([A-Za-z_0-9]+).*/\2/p; s/^[^(=]*[ *&]([A-Za-z_][A-Za-z_0-9]*)\(.*/\1/p; s/^[^(=]*\(([a-z_0-9]+)\)\(.*/\1/p' |
  grep -vxE 'operator.*|decltype|requires|namespace|defined' | sort -u > "$work/names"
[ "$(grep -cxE 'Dense|Sequential|slice_axis|max|relu|matmul' "$work/names")" -eq 6 ] || {
  echo "collisions: the list of names is incomplete"
  exit 1
}
# ambiguous NAME...: prints the ambiguous names.
ambiguous() {
  {
    echo '#include "standard.h"'
    echo '#include "cornu.h"'
    echo 'namespace cornu { inline void slice() {} }  // a known conflict, which the check must find'
    echo 'using namespace std; using namespace cornu;'
    for name in "$@"; do echo "template <class> void look_up_$name() { (void)($name); }"; done
  } > "$work/names.cpp"
  "$cxx" -std=c++20 -I. -I"$work" -fsyntax-only $all_errors "$work/names.cpp" 2>&1 |
    sed -nE 's/.*reference to .([A-Za-z_0-9]+). is ambiguous.*/\1/p' | sort -u | xargs
}
all_errors=
if "$cxx" --version | grep -q clang; then all_errors=-ferror-limit=0; fi
# shellcheck disable=SC2046
found=$(ambiguous slice $(cat "$work/names"))
[ "$found" = slice ] || { echo "collisions: ambiguous after using namespace std and cornu: $found"; exit 1; }
echo "headers compile with foreign macros, and $(grep -c . "$work/names") names are not ambiguous"
