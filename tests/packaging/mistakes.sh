#!/bin/sh
# Checks the compiler's messages for common mistakes: mistakes.sh SOURCE INCLUDE WORK CXX
# Each "// error: TEXT" of mistakes/mistakes.cpp must be part of the message for the line after it, each
# "// some error: TEXT" part of any message.
set -eu
source=$1 include=$2 work=$3 cxx=$4
mkdir -p "$work"
case $("$cxx" --version) in *clang*) all=-ferror-limit=0 ;; *) all=-fmax-errors=0 ;; esac

if "$cxx" -std=c++20 -fsyntax-only "$all" -I"$include" "$source" 2> "$work/errors"; then
  echo "mistakes: $source compiles"; exit 1
fi

# Lists messages with the line of mistakes.cpp that caused them: g++ prints that line before the error, clang after it.
awk -v clang="$(case $all in *limit*) echo 1 ;; *) echo 0 ;; esac)" '
  function line_of(text) { sub(/.*mistakes\.cpp:/, "", text); sub(/:.*/, "", text); return text }
  / error: / {
    if (clang) { if (message != "" && line != "") print line "|" message; line = "" }
    message = $0; sub(/.* error: /, "", message)
    if (!clang) print line "|" message
    else if ($0 ~ /^[^ ]*mistakes\.cpp:[0-9]+:[0-9]+: error/) line = line_of($0)
    next
  }
  /mistakes\.cpp:[0-9]+:[0-9]+: *(  required from here|note: in instantiation)/ { line = line_of($0) }
  END { if (clang && message != "") print line "|" message }
' "$work/errors" | sort -u > "$work/found"

grep -n '// error: ' "$source" | while IFS= read -r row; do
  line=$((${row%%:*} + 1)) text=${row#*// error: }
  grep "^$line|" "$work/found" | grep -qF -- "$text" || {
    printf 'mistakes: line %s should be refused with "%s"; the messages are:\n' "$line" "$text"
    grep "^$line|" "$work/found" || true
    exit 1
  }
done

grep -o '// some error: .*' "$source" | while IFS= read -r row; do
  text=${row#*// some error: }
  grep -F 'error: ' "$work/errors" | grep -qF -- "$text" || { echo "mistakes: nothing is refused with \"$text\""; exit 1; }
done

# Nor may there be distracting notes, such as lists of candidate constructors.
if grep -E 'candidate (constructor|is the)|no known conversion|could not convert' "$work/errors"; then exit 1; fi
echo "$(grep -cE '// (some )?error: ' "$source") mistakes are refused with a reason"
