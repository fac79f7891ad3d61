#!/bin/sh
# Keeps the arrows of the design: who may include whom, and that no printing ends a program. `include_rules.sh [root]` prints every violation and fails.
set -eu
cd "${1:-.}"

files=$(find core layers optim formats datasets models onnx tool examples bench tests cornu.h -name '*.h' -o -name '*.cpp' 2>/dev/null |
  grep -v '^tests/packaging/' | sort) || true
[ -n "$files" ] || { echo "include_rules: no sources in $PWD"; exit 1; }

# File names have no spaces here, and the test would show one that had.
# shellcheck disable=SC2086
awk '
  BEGIN {
    allowed["core"] = "core"
    allowed["layers"] = "core layers"
    allowed["optim"] = "core optim"
    allowed["formats"] = "core formats"
    allowed["datasets"] = "core formats datasets"
    allowed["models"] = "core layers optim formats datasets models"
    allowed["onnx"] = "core layers formats models onnx"
  }
  function violation(text) { print FILENAME ":" FNR ": " text; found = 1 }
  function may_include(folder, other,    words, n, i) {
    n = split(allowed[folder], words, " ")
    for (i = 1; i <= n; ++i) if (words[i] == other) return 1
    return 0
  }
  function exists(path,    line, status) {
    status = (getline line < path)
    close(path)
    return status >= 0
  }
  /^[ \t]*#[ \t]*include/ {
    quoted = match($0, /"[^"]*"/)
    if (!quoted && !match($0, /<[^>]*>/)) next
    name = substr($0, RSTART + 1, RLENGTH - 2)
    folder = FILENAME
    sub(/\/.*/, "", folder)
    in_library = folder in allowed

    if (name ~ /(^|\/)cblas[^\/]*\.h$/ && FILENAME != "core/blas.cpp") violation("only core/blas.cpp may include cblas.h")
    if (quoted && name !~ /^cornu\//) violation("\"" name "\": a header of the project is included as \"cornu/...\"")
    if (!quoted && name ~ /^cornu\// && in_library) violation("<" name ">: inside the library write \"" name "\"")
    if (name !~ /^cornu\//) next

    path = substr(name, 7)
    other = path
    sub(/\/.*/, "", other)
    if (!exists(path)) violation("\"" name "\": there is no such file")
    if (in_library && !may_include(folder, other))
      violation(folder " may include " allowed[folder] " alone, not \"" name "\"")
  }
  /fmt::print\(/ && FILENAME !~ /^(bench|tests)\// {
    violation("fmt::print throws where nothing can be written, and ends the program: detail::write_text, or std::cout")
  }
  END { exit found }
' $files
