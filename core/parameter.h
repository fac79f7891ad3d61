#pragma once

#include <string>
#include <vector>

#include "cornu/core/tensor.h"

namespace cornu {

/// What a layer learns or keeps: a tensor, and whether an optimizer may change it. State that is not trained (a moving
/// mean) is a Parameter too, so that it is saved, counted and copied by the same code.
struct Parameter {
  Tensor value{};
  bool trainable = true;
  bool frozen = false;  ///< not trainable for a while only: layers/freeze.h

  const Shape& shape() const { return value.shape(); }
};

struct NamedParameter {
  std::string name;
  Parameter* parameter = nullptr;
};

/// Parameters in a fixed order, each under its owner's name for it: {{"kernel", &kernel}, {"bias", &bias}}.
using NamedParameters = std::vector<NamedParameter>;

}  // namespace cornu
