#include "cornu/core/options/type_name.h"

#include <algorithm>

namespace cornu::detail {

std::string_view declared_name(std::string_view pretty_function) {
  const std::string_view start = "T = ";
  const std::size_t from = pretty_function.find(start);
  if (from == std::string_view::npos) return pretty_function;
  const std::string_view type = pretty_function.substr(from + start.size());
  // Find the last name outside all brackets. Scopes may have brackets too: "(anonymous namespace)::", "f(int)::".
  std::size_t name = 0, end = type.size();
  int depth = 0;
  for (std::size_t i = 0; i < type.size(); ++i) {
    const char c = type[i];
    if (depth == 0 && (c == ';' || c == ']')) return type.substr(name, std::min(end, i) - name);
    if (c == '(' || c == '<' || c == '[' || c == '{') {
      if (depth++ == 0) end = i;
    } else if (c == ')' || c == ']' || c == '}' || (c == '>' && i > 0 && type[i - 1] != '-')) {
      --depth;
    } else if (c == ':' && depth == 0) {
      name = i + 1;
      end = type.size();
    }
  }
  return type.substr(name, end - name);
}

std::string with_article(std::string_view word) {
  // Acronyms are spelled out: an "em", a "gee".
  const auto is_capital = [&](std::size_t i) { return i < word.size() && word[i] >= 'A' && word[i] <= 'Z'; };
  const std::string_view spoken_with_vowel = is_capital(0) && is_capital(1) ? "AEFHILMNORSX" : "AEIOUaeiou";
  const bool an = !word.empty() && spoken_with_vowel.find(word[0]) != std::string_view::npos;
  return (an ? "an " : "a ") + std::string(word);
}

}  // namespace cornu::detail
