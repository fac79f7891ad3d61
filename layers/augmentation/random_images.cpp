#include "cornu/layers/augmentation/random_images.h"

#include "cornu/core/error.h"

namespace cornu {

void to_json(Json& json, const RandomFactor& factor) { to_json(json, std::vector{factor.low, factor.high}); }

RandomFactor json_to(const Json& json, As<RandomFactor>) {
  const auto range = value_of<std::vector<double>>(json);
  require<FormatError>(range.size() == 2, "a list of {} values, expected two (low and high)", range.size());
  return {range[0], range[1]};
}

namespace detail {

void require_image(const char* layer, const Shape& sample) {
  require(sample.rank() == 3, "{}: a sample of shape {}; (height, width, channels) is required", layer, sample);
}

void require_factor(const char* layer, const char* option, const RandomFactor& factor, double least, double most) {
  require<ValueError>(least <= factor.low && factor.low <= factor.high && factor.high <= most,
                      "{}: {} is from {} to {}; low <= high, both from {} to {}, is required", layer, option,
                      factor.low, factor.high, least, most);
}

void write_transform(Real* transform, const ImageMap& map, const Shape& images) {
  const double x = static_cast<double>(images[2] - 1) / 2, y = static_cast<double>(images[1] - 1) / 2;
  const auto write = [&](Index at, double value) { transform[at] = static_cast<Real>(value); };
  write(0, map.xx);
  write(1, map.xy);
  write(2, x - map.xx * x - map.xy * y - map.right);
  write(3, map.yx);
  write(4, map.yy);
  write(5, y - map.yx * x - map.yy * y - map.down);
}

}  // namespace detail

}  // namespace cornu
