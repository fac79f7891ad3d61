#!/bin/sh
# Checks which folder includes which, and that fmt::print is not used. `include_rules.sh [root]` prints every violation
# and fails if there is one.
set -eu
cd "${1:-.}"

files=$(find core layers optim formats datasets models onnx keras mpi tool examples bench tests cornu.h -name '*.h' -o -name '*.cpp' 2>/dev/null |
  grep -v '^tests/packaging/' | sort) || true
[ -n "$files" ] || { echo "include_rules: no sources in $PWD"; exit 1; }

# File names here have no spaces; one with a space would fail the test.
# shellcheck disable=SC2086
awk '
  BEGIN {
    allowed["core"] = "core core/text"
    allowed["core/text"] = "core core/text"
    allowed["core/autodiff"] = "core core/text core/autodiff"
    allowed["core/kernels"] = "core core/text core/kernels"
    allowed["core/options"] = "core core/text core/options"
    allowed["core/ops"] = "core core/text core/autodiff core/kernels core/ops"
    # The only other files that may use kernels, a tape or ops: a tape sums gradients; checks and penalties are composed
    # of ops.
    exception["core/autodiff/tape.cpp", "core/kernels"] = exception["core/autodiff/var.cpp", "core/kernels"] = 1
    exception["core/gradcheck.h", "core/autodiff"] = 1
    # A dependency at link time that includes do not show: core/gradcheck.cpp calls detail::check_steps, which
    # optim/step_check.cpp defines.
    exception["core/gradcheck.cpp", "core/ops"] = exception["core/regularizer.cpp", "core/ops"] = 1
    # Headers of core that kernels must not include: they work on elements, without a tape.
    split("parameter gradcheck gradcheck_sources", names, " ")
    for (i in names) is_of_passes["core/" names[i] ".h"] = 1
    allowed["layers"] = "core layers"
    allowed["optim"] = "core optim"
    allowed["formats"] = "core formats"
    allowed["datasets"] = "core formats datasets"
    allowed["models"] = "core layers optim formats datasets models"
    allowed["onnx"] = "core layers formats models onnx"
    allowed["mpi"] = "core datasets models mpi"
    allowed["keras"] = "core layers optim formats models keras"
  }
  function violation(text) { print FILENAME ":" FNR ": " text; found = 1 }
  # The rule for core applies only to the files directly in core, whose subfolders have their own rules; other rules
  # apply to subfolders, too.
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
    if (!quoted && name ~ /^cornu\// && in_library) violation("<" name ">: inside the library, write \"" name "\"")
    if (name !~ /^cornu\//) next

    path = substr(name, 7)
    other = folder_of(path)
    if (!exists(path)) violation("\"" name "\": there is no such file")
    if (in_library && !may_include(folder, other))
      violation(folder " may include only " allowed[folder] ", not \"" name "\"")
    if (folder == "core/kernels" && path in is_of_passes) violation("\"" name "\": kernels must not use the tape")
  }
  /fmt::print\(/ && FILENAME !~ /^(bench|tests)\// {
    violation("fmt::print throws if the output cannot be written: use detail::write_text or std::cout")
  }
  END { exit found }
' $files
