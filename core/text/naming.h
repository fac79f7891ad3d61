#pragma once

#include <string_view>

#include "cornu/core/error.h"
#include "cornu/core/text/printable.h"

namespace cornu::detail {

/// What `work()` returns. An Error that it throws travels on with "where: " before its text.
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
