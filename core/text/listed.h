#pragma once

#include <functional>
#include <string>

namespace cornu::detail {

/// Joins text(element) for each element of a range: "a, b, c".
template <class Range, class Text = std::identity>
std::string listed(const Range& range, Text text = {}) {
  std::string result;
  const char* between = "";
  for (const auto& element : range) {
    (result += between) += std::invoke(text, element);
    between = ", ";
  }
  return result;
}

}  // namespace cornu::detail
