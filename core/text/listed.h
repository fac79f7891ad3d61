#pragma once

#include <functional>
#include <string>

namespace cornu::detail {

/// "a, b, c", of a range: `text` of each element.
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
