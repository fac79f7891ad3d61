#pragma once

#include <array>
#include <span>

#include "cornu/core/ops/images.h"
#include "cornu/core/ops/ops.h"
#include "cornu/core/parameter.h"
#include "cornu/layers/any_layer.h"

/// Layers made of the ops that select, repeat, pad, gather, scatter and enlarge, with a parameter each.
namespace cornu::testing {

/// Values of (batch, ...) as rows of one value.
inline Var rows_of(std::initializer_list<Var> values) {
  Var result;
  for (const Var value : values) {
    const Var row = reshape(value, {value.shape()[0], -1});
    result = result ? concatenate({result, row}, 1) : row;
  }
  return result;
}

/// Moves elements of (batch, 6, 4), to positions that do not depend on data.
struct MovesElements {
  Parameter scale{};

  Shape build(const Shape& input, Rng& rng) {
    scale = {Tensor({input[-1]})};
    rng.fill_uniform(scale.value, Real(0.5), 1);
    return rows_of_sample(input);
  }
  Var forward(Var input) const {
    const Var x = input * scale;
    const std::span<const Var> parts = split(x, {1, 3}, -1);
    return rows_of({take(x, {-1, 0, 0, 2}, 1), strided_slice(x, {{}, {.begin = 1, .step = 2}, {.step = -1}}),
                    pad(x, {{}, {1, 0}, {2, 1}}, {.value = 0.5}), pad(x, {{}, {2, 7}}, {.mode = PadMode::reflect}),
                    pad(x, {{}, {}, {-1, 2}}, {.value = -1}), tile(x, {2, 1}), repeat(x, 2, -1), flip(x, 2),
                    broadcast_to(reshape(parts[0], {x.shape()[0], 6, 1, 1}), {x.shape()[0], 6, 2, 3}),
                    stack_axis({parts[1], parts[1] * 2}, 2), parts[2]});
  }
  NamedParameters parameters() { return {{"scale", &scale}}; }

 private:
  static Shape rows_of_sample(const Shape& x) {
    const Index n = x[0], c = x[1];
    return {4 * c + (n / 2) * c + (n + 1) * (c + 3) + (n + 9) * c + n * (c + 1) + 2 * n * c + 2 * n * c + n * c +
            6 * n + n * 2 * 2 + n};
  }
};

/// Picks elements of (batch, 6, 4) by their values. `scatters`: also adds elements at positions that are data.
struct PicksElements {
  bool scatters = true;
  Parameter scale{};

  Shape build(const Shape& input, Rng& rng) {
    scale = {Tensor({input[-1]})};
    rng.fill_uniform(scale.value, Real(0.5), 1);
    return {(input[0] * 2) * (1 + input[1] + 1) + (scatters ? input.size() : 0)};
  }
  Var forward(Var input) const {
    const Var x = input * scale;
    const TopK top = top_k(x, 2);
    const Var near = take_along_axis(x, top.indices, -1), where = one_hot(top.indices, x.shape()[2]);
    const Var rows = rows_of({top.values, where * reshape(near, near.shape().inserted(3, 1)), near * top.indices});
    return scatters ? rows_of({rows, scatter_add(x, top.indices, tanh(top.values), 2)}) : rows;
  }
  NamedParameters parameters() { return {{"scale", &scale}}; }
};

/// Enlarges images (batch, height, width, channels), interpolated.
struct ResizesImages {
  Size2D size;

  Var forward(Var x) const {
    const auto resized = [&](Interpolation how) { return resize(x, size, {.interpolation = how}); };
    return concatenate(
        {resized(Interpolation::nearest), resized(Interpolation::bilinear), resized(Interpolation::bicubic)}, -1);
  }
};

/// A transposed convolution.
struct Transposed {
  Shape kernel_shape;
  Conv2DTransposeOptions options{};
  Parameter kernel{}, bias{};

  Shape build(const Shape& input, Rng& rng) {
    kernel = {Tensor(kernel_shape)};
    bias = {Tensor({kernel_shape[2] * options.groups})};
    rng.fill_uniform(kernel.value, Real(-0.5), Real(0.5));
    rng.fill_uniform(bias.value, Real(-0.5), Real(0.5));
    Tape tape(Mode::inference);
    return forward(tape.constant(Tensor(input.batched(1)))).shape().sub(1);
  }
  Var forward(Var x) const { return conv2d_transpose(x, kernel, bias, options); }
  NamedParameters parameters() { return {{"kernel", &kernel}, {"bias", &bias}}; }
};

}  // namespace cornu::testing
