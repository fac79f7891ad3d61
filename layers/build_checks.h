#pragma once

#include <initializer_list>
#include <string_view>
#include <utility>

#include "cornu/core/error.h"
#include "cornu/layers/initializers.h"

/// Checks that layers have in common. `layer` is the name of the struct.
namespace cornu::detail {

/// Throws StateError for a forward pass of a layer that is not built.
inline void require_built(std::string_view layer, bool is_built) {
  require<StateError>(
      is_built, "{}: used before it was built; call build(shape of a sample, rng), or put it into a model", layer);
}

/// Throws ValueError, naming the option, if an initializer is empty.
void require_initializers(std::string_view layer,
                          std::initializer_list<std::pair<std::string_view, const Initializer&>> options);

}  // namespace cornu::detail
