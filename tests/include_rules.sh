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
    allowed["core"] = "core core/text"
    allowed["core/text"] = "core core/text"
    allowed["core/kernels"] = "core core/text core/kernels"
    allowed["core/options"] = "core core/text core/options"
    allowed["core/ops"] = "core core/text core/kernels core/ops"
    # The rest of core sees no kernel and no op but here: a tape adds gradients up; checks and penalties are made of ops.
    exception["core/tape.cpp", "core/kernels"] = exception["core/var.cpp", "core/kernels"] = 1
    exception["core/gradcheck.cpp", "core/ops"] = exception["core/regularizer.cpp", "core/ops"] = 1
    # What a kernel must not see: it works on numbers, in no pass.
    split("tape var gradients operand parameter gradcheck gradcheck_sources", names, " ")
    for (i in names) is_of_passes["core/" names[i] ".h"] = 1
    allowed["layers"] = "core layers"
    allowed["optim"] = "core optim"
    allowed["formats"] = "core formats"
    allowed["datasets"] = "core formats datasets"
    allowed["models"] = "core layers optim formats datasets models"
    allowed["onnx"] = "core layers formats models onnx"
  }
  function violation(text) { print FILENAME ":" FNR ": " text; found = 1 }
  # A rule for core is for the files of core alone, which has one for each subfolder; a rule for another folder is for
  # its subfolders as well.
  function may_include(folder, other,    words, n, i) {
    if ((FILENAME, other) in exception) return 1
    n = split(allowed[folder], words, " ")
    for (i = 1; i <= n; ++i) {
      if (words[i] == other) return 1
      if (index(other, words[i] "/") == 1 && (words[i] != "core" || folder !~ /^core/)) return 1
    }
    return 0
  }
  function folder_of(path) {
    if (!sub(/\/[^\/]*$/, "", path)) return ""
    return path
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
    folder = folder_of(FILENAME)
    while (folder ~ /\// && !(folder in allowed)) folder = folder_of(folder)
    in_library = folder in allowed

    if (name ~ /(^|\/)cblas[^\/]*\.h$/ && FILENAME != "core/kernels/blas.cpp") violation("only core/kernels/blas.cpp may include cblas.h")
    if (quoted && name !~ /^cornu\//) violation("\"" name "\": a header of the project is included as \"cornu/...\"")
    if (!quoted && name ~ /^cornu\// && in_library) violation("<" name ">: inside the library write \"" name "\"")
    if (name !~ /^cornu\//) next

    path = substr(name, 7)
    other = folder_of(path)
    if (!exists(path)) violation("\"" name "\": there is no such file")
    if (in_library && !may_include(folder, other))
      violation(folder " may include " allowed[folder] " alone, not \"" name "\"")
    if (folder == "core/kernels" && path in is_of_passes) violation("\"" name "\": kernels see no tape")
  }
  /fmt::print\(/ && FILENAME !~ /^(bench|tests)\// {
    violation("fmt::print throws where nothing can be written, and ends the program: detail::write_text, or std::cout")
  }
  END { exit found }
' $files
