#include <cmath>

#include "cornu/core/error.h"
#include "cornu/core/kernels/kernels.h"
#include "cornu/layers/regularization/dropout.h"
#include "cornu/onnx/ops/ops.h"

namespace cornu::onnx::detail {

namespace {

void identity(Call& call) { call.result(0, call.value(0)); }

template <Var (*f)(Var)>
void pointwise(Call& call) {
  call.map(f);
}

Var negated(Var x) { return -x; }
Var inverse(Var x) { return 1 / x; }

void run_leaky_relu(Call& call) {
  const double alpha = call.real("alpha", 0.01);
  call.map([=](Var x) { return leaky_relu(x, alpha); });
}

void run_elu(Call& call) {
  const double alpha = call.real("alpha", 1);
  call.map([=](Var x) { return elu(x, alpha); });
}

void selu(Call& call) {
  const double alpha = call.real("alpha", 1.67326319217681884765625),
               gamma = call.real("gamma", 1.05070102214813232421875);
  call.map([=](Var x) { return gamma * elu(x, alpha); });
}

/// Before opset 7, a vector of slopes holds one slope per channel.
void prelu(Call& call) {
  const Var x = call[0];
  Var slope = call[1];
  if (call.opset() < 7 && slope.rank() == 1 && x.rank() > 1) {
    Shape shape = slope.shape();
    while (shape.rank() < x.rank() - 1) shape = shape.inserted(shape.rank(), 1);
    slope = reshape(slope, shape);
  }
  call.result(relu(x) - slope * relu(-x), call.kind(0));
}

/// Before opset 11, the bounds are attributes.
void clip(Call& call) {
  const auto bound = [&](std::size_t input, const char* name) -> std::optional<double> {
    if (call.has(input)) return call.number(input);
    if (call.has(name)) return call.real(name, 0);
    return std::nullopt;
  };
  const std::optional<double> least = bound(1, "min"), most = bound(2, "max");
  call.map([&](Var x) {
    if (least) x = maximum(x, *least);
    if (most) x = minimum(x, *most);
    return x;
  });
}

/// Active in training only, like Cornu's layer. Throws FormatError for a node that also drops elements in inference.
void dropout(Call& call) {
  const double rate = call.has(1) ? call.number(1) : call.real("ratio", 0.5);
  const bool always = call.has(2) && call.number(2) != 0;
  require<FormatError>(!always || rate == 0, "it drops random elements in inference too, which is not supported");
  require<FormatError>(rate >= 0 && rate < 1, "the ratio is {}; it must be in [0, 1)", rate);
  const Var x = call.value(0).var;
  call.map([&](Var v) { return Dropout{.rate = rate}.forward(v); });
  if (!call.wants(1)) return;
  require<FormatError>(!call.tape().training(), "its mask output is used in training, which is not supported");
  const Var mask = without_gradient(x, x.shape());
  for (Real& kept : mask.out()) kept = 1;
  call.result(1, mask, Kind::boolean, call.value(0).layout);
}

void cast(Call& call) {
  const Index to = call.integer("to");
  const Value x = call.value(0);
  const auto each = [&](Kind kind, auto f) {
    const Var y = without_gradient(x.var, x.var.shape());
    for (Index i = 0; i < y.size(); ++i) y.out()[i] = f(x.var.value()[i]);
    call.result(0, {.var = y, .kind = kind, .layout = x.layout, .rounding = Rounding::exact});
  };
  const auto to_integers = [&](double below) {
    for (const Real number : x.var.value()) {
      const double whole = std::trunc(static_cast<double>(number));
      const bool is_below = whole < below || (whole == below && x.rounding == Rounding::rounded);
      require<ValueError>(-below <= whole && is_below, "{} is out of the range of {}", number,
                          name_of_element_type(to));
    }
    if (x.kind == Kind::integer) return call.result(0, x);
    each(Kind::integer, [](Real v) { return std::trunc(v); });
  };
  switch (static_cast<ElementType>(to)) {
    case ElementType::float32:
    case ElementType::float64:
      return call.result(0, x.var, Kind::real, x.layout);
    case ElementType::int32:
      return to_integers(0x1p31);
    case ElementType::int64:
      // INT64_MAX as a Real is 2^63.
      return x.kind == Kind::integer ? call.result(0, x) : to_integers(0x1p63);
    case ElementType::boolean:
      return each(Kind::boolean, [](Real v) { return v != 0 ? Real{1} : Real{0}; });
    default:
      throw FormatError(message("it casts to {}, which Cornu does not support", name_of_element_type(to)));
  }
}

}  // namespace

std::span<const Op> pointwise_ops() {
  static constexpr Op ops[] = {
      {"Abs", 6, 1, 1, 1, "", 0, pointwise<abs>, 0b1},
      {"Cast", 6, 1, 1, 1, "to ", 0, cast, 0b1},
      {"Clip", 6, 1, 3, 1, "max min ", 0, clip, 0b111},
      {"Dropout", 6, 1, 3, 2, "is_test ratio seed ", 0, dropout},
      {"Elu", 6, 1, 1, 1, "alpha ", 0, run_elu},
      {"Erf", 9, 1, 1, 1, "", 0, pointwise<erf>},
      {"Exp", 6, 1, 1, 1, "", 0, pointwise<exp>},
      {"Identity", 1, 1, 1, 1, "", 0, identity, 0b1},
      {"LeakyRelu", 6, 1, 1, 1, "alpha ", 0, run_leaky_relu},
      {"Log", 6, 1, 1, 1, "", 0, pointwise<log>},
      {"Neg", 6, 1, 1, 1, "", 0, pointwise<negated>, 0b1},
      {"PRelu", 6, 2, 2, 1, "", 0b10, prelu},
      {"Reciprocal", 6, 1, 1, 1, "", 0, pointwise<inverse>},
      {"Relu", 6, 1, 1, 1, "", 0, pointwise<relu>, 0b1},
      {"Selu", 6, 1, 1, 1, "alpha gamma ", 0, selu},
      {"Sigmoid", 6, 1, 1, 1, "", 0, pointwise<sigmoid>},
      {"Softplus", 1, 1, 1, 1, "", 0, pointwise<softplus>},
      {"Sqrt", 6, 1, 1, 1, "", 0, pointwise<sqrt>},
      {"Tanh", 6, 1, 1, 1, "", 0, pointwise<tanh>},
  };
  return ops;
}

}  // namespace cornu::onnx::detail
