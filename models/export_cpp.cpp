#include "cornu/models/export_cpp.h"

#include <algorithm>
#include <iterator>
#include <span>
#include <string>
#include <string_view>

#include "cornu/core/error.h"
#include "cornu/formats/atomic_file.h"
#include "cornu/models/export_cpp_layers.h"
#include "cornu/models/export_cpp_program.h"
#include "cornu/models/sequential_state.h"

namespace cornu {

namespace detail {

namespace {

/// The keywords up to C++20, and what compilers' own dialects and the language take as well.
constexpr std::string_view taken[] = {
    "alignas",       "alignof",     "and",       "and_eq",       "asm",      "auto",
    "bitand",        "bitor",       "bool",      "break",        "case",     "catch",
    "char",          "char16_t",    "char32_t",  "char8_t",      "class",    "co_await",
    "co_return",     "co_yield",    "compl",     "concept",      "const",    "const_cast",
    "consteval",     "constexpr",   "constinit", "continue",     "decltype", "default",
    "delete",        "do",          "double",    "dynamic_cast", "else",     "enum",
    "explicit",      "export",      "extern",    "false",        "float",    "for",
    "friend",        "goto",        "if",        "inline",       "int",      "linux",
    "long",          "main",        "mutable",   "namespace",    "new",      "noexcept",
    "not",           "not_eq",      "nullptr",   "operator",     "or",       "or_eq",
    "posix",         "private",     "protected", "public",       "register", "reinterpret_cast",
    "requires",      "return",      "short",     "signed",       "sizeof",   "static",
    "static_assert", "static_cast", "struct",    "switch",       "template", "this",
    "thread_local",  "throw",       "true",      "try",          "typedef",  "typeid",
    "typename",      "typeof",      "union",     "unix",         "unsigned", "using",
    "virtual",       "void",        "volatile",  "wchar_t",      "while",    "xor",
    "xor_eq"};

/// Whether a program may call a namespace of its own so.
bool is_free_name(std::string_view name) {
  return !name.empty() && is_cpp_letter(name.front()) &&
         std::all_of(name.begin(), name.end(),
                     [](char c) { return is_cpp_letter(c) || is_cpp_digit(c) || c == '_'; }) &&
         name.find("__") == std::string_view::npos &&
         std::find(std::begin(taken), std::end(taken), name) == std::end(taken) &&
         // std, std2 and so on are the standard library's.
         !(name.starts_with("std") && std::all_of(name.begin() + 3, name.end(), is_cpp_digit));
}

}  // namespace

}  // namespace detail

std::string to_cpp(const Sequential& model, const ExportCppOptions& options) {
  require<StateError>(model.built(), "{}: export_cpp: not built yet, so there are no weights", model.name());
  require<ValueError>(detail::is_free_name(options.name),
                      "export_cpp: name is \"{}\"; a namespace is required, which is no keyword and not reserved",
                      options.name);
  const Shape input = *model.input_shape();
  detail::CppProgram program(options, input);
  const detail::CppValue made = detail::write_chain(program, detail::SequentialState::of(model), {0, input});
  if (made.number != 0) return program.text(model.name(), made);
  const detail::CppValue copy = program.make(made.shape);
  program.call("put", message("1, {}, {}", input.size(), input.size()), {&made, 1}, "", copy);
  return program.text(model.name(), copy);
}

void Sequential::export_cpp(const std::filesystem::path& path, const ExportCppOptions& options) const {
  const std::string text = to_cpp(*this, options);
  AtomicFile file(path);
  file.write(std::as_bytes(std::span(text)));
  file.commit();
}

}  // namespace cornu
