#include <cmath>

#include "cornu/core/error.h"
#include "cornu/core/ops/comparisons.h"
#include "cornu/core/ops/unary.h"
#include "cornu/onnx/ops/ops.h"

/// Trigonometric and hyperbolic functions, rounding, and activations.
namespace cornu::onnx::detail {

namespace {

template <Var (*f)(Var)>
void pointwise(Call& call) {
  call.map(f);
}

// ---- Functions that Cornu's core does not have: the value at x, and the slope at x where the value is y. ----

struct Tan {
  static constexpr const char* name = "tan";
  static Real value(Real x) { return std::tan(x); }
  static Real slope(Real, Real y) { return 1 + y * y; }
};
struct Asin {
  static constexpr const char* name = "asin";
  static Real value(Real x) { return std::asin(x); }
  static Real slope(Real x, Real) { return 1 / std::sqrt((1 - x) * (1 + x)); }
};
struct Acos {
  static constexpr const char* name = "acos";
  static Real value(Real x) { return std::acos(x); }
  static Real slope(Real x, Real) { return -1 / std::sqrt((1 - x) * (1 + x)); }
};
struct Atan {
  static constexpr const char* name = "atan";
  static Real value(Real x) { return std::atan(x); }
  static Real slope(Real x, Real) { return 1 / (1 + x * x); }
};
struct Sinh {
  static constexpr const char* name = "sinh";
  static Real value(Real x) { return std::sinh(x); }
  static Real slope(Real x, Real) { return std::cosh(x); }
};
struct Cosh {
  static constexpr const char* name = "cosh";
  static Real value(Real x) { return std::cosh(x); }
  static Real slope(Real x, Real) { return std::sinh(x); }
};
struct Asinh {
  static constexpr const char* name = "asinh";
  static Real value(Real x) { return std::asinh(x); }
  static Real slope(Real x, Real) { return 1 / std::hypot(x, Real{1}); }
};
struct Acosh {
  static constexpr const char* name = "acosh";
  static Real value(Real x) { return std::acosh(x); }
  static Real slope(Real x, Real) { return 1 / (std::sqrt(x - 1) * std::sqrt(x + 1)); }
};
struct Atanh {
  static constexpr const char* name = "atanh";
  static Real value(Real x) { return std::atanh(x); }
  static Real slope(Real x, Real) { return 1 / ((1 - x) * (1 + x)); }
};

template <class F>
void function(Call& call) {
  call.map([](Var x) { return cornu::detail::pointwise<F>(x); });
}

void run_sign(Call& call) {
  call.is_real() ? call.map([](Var x) { return cornu::sign(x); })
                 : call.map_integers([](Index x) { return Index{x > 0} - Index{x < 0}; });
}

// ---- Activations ----

void run_hard_sigmoid(Call& call) {
  const double alpha = call.real("alpha", 0.2), beta = call.real("beta", 0.5);
  call.map([=](Var x) { return cornu::clip(alpha * x + beta, 0, 1); });
}

void run_gelu(Call& call) {
  const std::string_view how = call.text("approximate", "none");
  require<FormatError>(how == "none" || how == "tanh", "approximate is '{}'; none and tanh are known", how);
  call.map([=](Var x) { return gelu(x, {.approximate = how == "tanh"}); });
}

void run_celu(Call& call) {
  const double alpha = call.real("alpha", 1);
  call.map([=](Var x) { return celu(x, alpha); });
}

void run_swish(Call& call) {
  const double alpha = call.real("alpha", 1);
  call.map([=](Var x) { return alpha == 1 ? swish(x) : x * sigmoid(alpha * x); });
}

void thresholded_relu(Call& call) {
  const double alpha = call.real("alpha", 1);
  call.map([=](Var x) { return cornu::where(ops::greater(x, alpha), x, 0); });
}

/// x + bias below -lambd, x - bias above lambd, otherwise 0. Results of integers are truncated.
void shrink(Call& call) {
  const double bias = call.real("bias", 0), lambd = call.real("lambd", 0.5);
  if (call.is_real()) {
    return call.map([=](Var x) {
      return cornu::where(ops::less(x, -lambd), x + bias, cornu::where(ops::greater(x, lambd), x - bias, 0));
    });
  }
  call.map_integers([=](Index x) {
    const auto number = static_cast<double>(x);
    const double y = number < -lambd ? number + bias : number > lambd ? number - bias : 0;
    require<ValueError>(std::abs(y) <= 0x1p53, "{} is not an integer that can be represented exactly", y);
    return static_cast<Index>(y);
  });
}

}  // namespace

std::span<const Op> elementary_ops() {
  constexpr Gradient zero = Gradient::zero;
  static constexpr Op ops[] = {
      {.name = "Acos", .since = 7, .run = function<Acos>},
      {.name = "Acosh", .since = 9, .run = function<Acosh>},
      {.name = "Asin", .since = 7, .run = function<Asin>},
      {.name = "Asinh", .since = 9, .run = function<Asinh>},
      {.name = "Atan", .since = 7, .run = function<Atan>},
      {.name = "Atanh", .since = 9, .run = function<Atanh>},
      {.name = "Ceil", .since = 6, .gradient = zero, .run = pointwise<cornu::ceil>},
      {.name = "Celu", .since = 12, .attributes = "alpha ", .run = run_celu},
      {.name = "Cos", .since = 7, .run = pointwise<cornu::cos>},
      {.name = "Cosh", .since = 9, .run = function<Cosh>},
      {.name = "Floor", .since = 6, .gradient = zero, .run = pointwise<cornu::floor>},
      {.name = "Gelu", .since = 20, .attributes = "approximate ", .run = run_gelu},
      {.name = "HardSigmoid", .since = 6, .attributes = "alpha beta ", .run = run_hard_sigmoid},
      {.name = "HardSwish", .since = 14, .run = pointwise<hard_swish>},
      {.name = "Mish", .since = 18, .run = pointwise<mish>},
      {.name = "Round", .since = 11, .gradient = zero, .run = pointwise<cornu::round>},
      {.name = "Shrink", .since = 9, .attributes = "bias lambd ", .takes = numbers, .run = shrink},
      {.name = "Sign", .since = 9, .takes = numbers, .gradient = zero, .run = run_sign},
      {.name = "Sin", .since = 7, .run = pointwise<cornu::sin>},
      {.name = "Sinh", .since = 9, .run = function<Sinh>},
      {.name = "Softsign", .run = pointwise<softsign>},
      {.name = "Swish", .since = 24, .attributes = "alpha ", .run = run_swish},
      {.name = "Tan", .since = 7, .run = function<Tan>},
      {.name = "ThresholdedRelu", .since = 10, .attributes = "alpha ", .run = thresholded_relu},
  };
  return ops;
}

}  // namespace cornu::onnx::detail
