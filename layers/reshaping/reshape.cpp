#include "cornu/layers/reshaping/reshape.h"

#include <algorithm>
#include <array>
#include <string>

#include "cornu/core/error.h"

namespace cornu {

namespace {

/// Formats a target for a message; unlike a Shape it may contain -1.
struct Target {
  std::span<const Index> dimensions;
};

std::string to_string(const Target& target) { return cornu::to_string(target.dimensions); }

/// The target with -1 replaced by the size that a sample of this shape requires.
Shape resolve(std::span<const Index> dimensions, const Shape& sample) {
  const Target target{dimensions};
  require<ValueError>(dimensions.size() < Shape::max_rank,
                      "Reshape: the target {} has {} dimensions; at most {} are possible besides the batch axis",
                      target, dimensions.size(), Shape::max_rank - 1);
  require<ValueError>(std::count(dimensions.begin(), dimensions.end(), -1) <= 1,
                      "Reshape: the target {} has more than one -1", target);
  require<ValueError>(std::all_of(dimensions.begin(), dimensions.end(), [](Index d) { return d >= -1; }),
                      "Reshape: the target {} has a negative dimension other than -1", target);

  std::array<Index, Shape::max_rank> resolved{};
  std::copy(dimensions.begin(), dimensions.end(), resolved.begin());
  const auto open = std::find(resolved.begin(), resolved.end(), -1);
  if (open != resolved.end()) {
    *open = 1;
    const Index known = Shape(std::span<const Index>(resolved).first(dimensions.size())).size();
    require(known > 0 && sample.size() % known == 0,
            "Reshape: a sample of shape {} has {} elements, which cannot take the shape {}", sample, sample.size(),
            target);
    *open = sample.size() / known;
  }
  const Shape shape(std::span<const Index>(resolved).first(dimensions.size()));
  require(shape.size() == sample.size(), "Reshape: a sample of shape {} has {} elements, but {} has {}", sample,
          sample.size(), shape, shape.size());
  return shape;
}

}  // namespace

Shape Reshape::build(const Shape& input, Rng&) { return resolve(target, input); }

Var Reshape::forward(Var x) const {
  require(x.rank() > 0, "Reshape: got a scalar; a batch of samples is required");
  return reshape(x, resolve(target, x.shape().sub(1)).batched(x.shape()[0]));
}

}  // namespace cornu
