#include <algorithm>
#include <string>
#include <string_view>

#include "cornu/models/export_cpp/program.h"

namespace cornu::detail {

namespace {

/// The keywords up to C++20, those of compilers' dialects, and `main`.
constexpr std::string_view keywords =
    " alignas alignof and and_eq asm auto bitand bitor bool break case catch char char16_t char32_t char8_t class"
    " co_await co_return co_yield compl concept const const_cast consteval constexpr constinit continue decltype"
    " default delete do double dynamic_cast else enum explicit export extern false float for friend goto if inline"
    " int linux long main mutable namespace new noexcept not not_eq nullptr operator or or_eq posix private protected"
    " public register reinterpret_cast requires return short signed sizeof static static_assert static_cast struct"
    " switch template this thread_local throw true try typedef typeid typename typeof union unix unsigned using"
    " virtual void volatile wchar_t while xor xor_eq ";

bool is_keyword(std::string_view name) {
  return keywords.find(" " + std::string(name) + " ") != std::string_view::npos;
}

}  // namespace

bool can_be_namespace(std::string_view name) {
  return !name.empty() && is_cpp_letter(name.front()) &&
         std::all_of(name.begin(), name.end(),
                     [](char c) { return is_cpp_letter(c) || is_cpp_digit(c) || c == '_'; }) &&
         name.find("__") == std::string_view::npos && !is_keyword(name) &&
         !name.ends_with("_t") &&  // such as size_t; POSIX reserves the suffix
         // std, std2 and so on are reserved for the standard library.
         !(name.starts_with("std") && std::all_of(name.begin() + 3, name.end(), is_cpp_digit));
}

}  // namespace cornu::detail
