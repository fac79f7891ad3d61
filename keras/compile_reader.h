#pragma once

#include <optional>
#include <string>
#include <vector>

#include "cornu/core/options/json.h"
#include "cornu/models/sequential.h"

namespace cornu::keras::detail {

/// How a model was compiled: `compile_config`, or `training_config` of an old file.
struct Compiled {
  std::optional<CompileOptions> options{};
  std::vector<std::string> unknown{};  ///< what Cornu lacks; `options` is empty if there is any
};

Compiled read_compile(const Json& json);

}  // namespace cornu::keras::detail
