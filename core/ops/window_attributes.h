#pragma once

#include <algorithm>
#include <array>

#include "cornu/core/kernels/window.h"

namespace cornu::detail {

/// Windows as attributes of an op, in ONNX's form. pads: before each axis, then after each axis.
struct WindowAttributes {
  std::array<Index, 2> size, strides, dilations;
  std::array<Index, 4> pads;

  explicit WindowAttributes(const Window& w)
      : size{w.y.taps, w.x.taps},
        strides{w.y.stride, w.x.stride},
        dilations{w.y.dilation, w.x.dilation},
        pads{w.y.before, w.x.before, after(w.y), after(w.x)} {}

 private:
  static Index after(const WindowAxis& axis) {
    return std::max(Index{0}, (axis.out - 1) * axis.stride + axis.reach() - axis.in - axis.before);
  }
};

}  // namespace cornu::detail
