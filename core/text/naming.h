#pragma once

#include <string_view>

#include "cornu/core/error.h"
#include "cornu/core/text/printable.h"

namespace cornu::detail {

/// Returns work(). Prepends "where: " to any Error that it throws.
template <class Work>
decltype(auto) naming(std::string_view where, Work work) {
  try {
    return work();
  } catch (Error& error) {
    error.add_context(printable(where));
    throw;
  }
}

}  // namespace cornu::detail
