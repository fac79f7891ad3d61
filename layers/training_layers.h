#pragma once

#include "cornu/layers/layer.h"

namespace cornu::detail {

/// True for Cornu's layers that return their input unchanged in inference. Exporters omit them.
bool is_for_training(const AnyLayer& layer);

}  // namespace cornu::detail
