#pragma once

#include "cornu/core/ops/images.h"
#include "cornu/core/options/options.h"
#include "cornu/layers/layer.h"

/// Shared parts of the image augmentation layers. They act only in training, on each image independently; in inference
/// they return x. Images are (batch, height, width, channels). Random draws depend only on the tape's rng.
namespace cornu {

/// A range for uniform random values: `0.2` means [-0.2, 0.2], `{-0.3, 0.1}` means [-0.3, 0.1].
struct RandomFactor {
  double low, high;

  constexpr RandomFactor(double most) : low(-most), high(most) {}
  constexpr RandomFactor(double lowest, double highest) : low(lowest), high(highest) {}

  double draw(Rng& rng) const { return low + (high - low) * static_cast<double>(rng.uniform()); }
};

void to_json(Json& json, const RandomFactor& factor);
RandomFactor json_to(const Json& json, As<RandomFactor>);

namespace detail {

/// Visits the options of RandomTranslation and RandomZoom.
template <class L>
void visit_two_factors(L& layer, auto& visit) {
  visit("height_factor", layer.height_factor);
  visit("width_factor", layer.width_factor);
  visit("fill_mode", layer.fill_mode);
  visit("fill_value", layer.fill_value);
}

/// Throws ShapeError unless a sample is (height, width, channels).
void require_image(const char* layer, const Shape& sample);
/// Throws ValueError unless least <= low <= high <= most.
void require_factor(const char* layer, const char* option, const RandomFactor& factor, double least, double most);

/// Affine map from output to input pixels, relative to the image's centre, x to the right and y down: the output pixel
/// (x, y) is read from the input at (xx x + xy y - right, yx x + yy y - down).
struct ImageMap {
  double xx = 1, xy = 0, yx = 0, yy = 1, right = 0, down = 0;
};

/// Writes `map` as a transform for affine_transform (core/ops/images.h), for images of this shape.
void write_transform(Real* transform, const ImageMap& map, const Shape& images);

/// In training, transforms each image by the map draw(rng) returns. In inference, returns x.
template <class Draw>
Var randomly_mapped(const char* layer, Var x, const AffineOptions& options, Draw draw) {
  require_image(layer, x.shape().sub(x.rank() > 0 ? 1 : 0));
  Tape& tape = x.tape();
  if (!tape.training()) return x;
  const View transforms = tape.scratch({x.shape()[0], 6});
  for (Index i = 0; i < transforms.size(); i += 6) {
    write_transform(transforms.data() + i, draw(tape.rng()), x.shape());
  }
  return affine_transform(x, transforms, options);
}

}  // namespace detail

}  // namespace cornu
