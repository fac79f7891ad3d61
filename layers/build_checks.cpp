#include "cornu/layers/build_checks.h"

namespace cornu::detail {

void require_initializers(std::string_view layer,
                          std::initializer_list<std::pair<std::string_view, const Initializer&>> options) {
  for (const auto& [name, initializer] : options) {
    require<ValueError>(static_cast<bool>(initializer), "{}: the {} is empty; use zeros if in doubt", layer, name);
  }
}

}  // namespace cornu::detail
