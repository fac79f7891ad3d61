#include "cornu/layers/pooling/global_average_pooling2d.h"

#include "cornu/core/error.h"

namespace cornu {

Shape GlobalAveragePooling2D::build(const Shape& input, Rng&) {
  require(input.rank() == 3 && input[0] > 0 && input[1] > 0,
          "GlobalAveragePooling2D: a sample of shape {}; (height, width, channels) with at least one pixel is required",
          input);
  return keepdims ? Shape{1, 1, input[2]} : Shape{input[2]};
}

Var GlobalAveragePooling2D::forward(Var x) const {
  const Shape& s = x.shape();
  require(s.rank() == 4 && s[1] > 0 && s[2] > 0,
          "GlobalAveragePooling2D: an input of shape {}; (batch, height, width, channels) with at least one pixel is "
          "required",
          s);
  return composite(x.tape(), "global_average_pool2d", {x}, [&] {
    const Var y = mean(reshape(x, {s[0], s[1] * s[2], s[3]}), 1);
    return keepdims ? reshape(y, {s[0], 1, 1, s[3]}) : y;
  });
}

}  // namespace cornu
