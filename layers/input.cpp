#include "cornu/layers/input.h"

#include <algorithm>
#include <vector>

#include "cornu/core/error.h"

namespace cornu {

namespace {

Shape with_any_lengths(std::initializer_list<Index> dimensions) {
  std::vector<Index> result(dimensions);
  std::replace(result.begin(), result.end(), Index{-1}, Index{0});
  return Shape(result);
}

}  // namespace

Input::Input(std::initializer_list<Index> dimensions) : shape(with_any_lengths(dimensions)) {}

Shape Input::build(const Shape& input, Rng&) {
  require(detail::matches(shape, input), "Input: samples have shape {}; {} is required", input,
          detail::pattern_text(shape));
  return input;
}

Var Input::forward(Var x) const {
  if (x.rank() == 0 || !detail::matches(shape, x.shape().sub(1))) {
    throw ShapeError(
        message("Input: got {}; a batch of samples of shape {} is required", x.shape(), detail::pattern_text(shape)));
  }
  return x;
}

}  // namespace cornu
