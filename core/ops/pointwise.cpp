#include <algorithm>
#include <array>
#include <cmath>
#include <string_view>
#include <utility>

#include "cornu/core/error.h"
#include "cornu/core/kernels/kernels.h"
#include "cornu/core/kernels/vector_math.h"
#include "cornu/core/ops/loops.h"
#include "cornu/core/ops/ops.h"
#include "cornu/core/ops/unary.h"

namespace cornu {

namespace {

struct Negate {
  static constexpr const char* name = "negate";
  static Real value(Real x) { return -x; }
  static Real slope(Real, Real) { return -1; }
};

struct Exp {
  static constexpr const char* name = "exp";
  static Real value(Real x) { return math::exp(x); }
  static Real slope(Real, Real y) { return y; }
};

struct Log {
  static constexpr const char* name = "log";
  static Real value(Real x) { return math::log(x); }
  static Real slope(Real x, Real) { return 1 / x; }
};

struct Sqrt {
  static constexpr const char* name = "sqrt";
  static Real value(Real x) { return std::sqrt(x); }
  static Real slope(Real, Real y) { return Real(0.5) / y; }
};

struct Square {
  static constexpr const char* name = "square";
  static Real value(Real x) { return x * x; }
  static Real slope(Real x, Real) { return 2 * x; }
};

struct Abs {
  static constexpr const char* name = "abs";
  static Real value(Real x) { return std::abs(x); }
  static Real slope(Real x, Real) { return static_cast<Real>((x > 0) - (x < 0)); }
};

struct Relu {
  static constexpr const char* name = "relu";
  static Real value(Real x) { return std::max(x, Real{0}); }  // this order keeps a NaN
  static Real slope(Real, Real y) { return y > 0 ? Real{1} : Real{0}; }
};

struct Sigmoid {
  static constexpr const char* name = "sigmoid";
  static Real value(Real x) { return math::sigmoid(x); }
  static Real slope(Real, Real y) { return y * (1 - y); }
};

struct Tanh {
  static constexpr const char* name = "tanh";
  static Real value(Real x) { return math::tanh(x); }
  static Real slope(Real, Real y) { return 1 - y * y; }
};

struct LeakyRelu {
  Real negative_slope;
  Real value(Real x) const { return x > 0 ? x : negative_slope * x; }
  Real slope(Real x, Real) const { return x > 0 ? Real{1} : negative_slope; }
};

/// x gate(x), given gate(x) and its slope at x.
detail::Point gated(Real x, Real gate, Real slope) { return {x * gate, gate + x * slope}; }

/// Computes x (1 + tanh(u)) / 2 as x sigmoid(2 u), which avoids the cancellation for tanh(u) near -1.
detail::Point gelu_by_tanh(Real x) {
  constexpr Real scale = Real(1.5957691216057308), cubic = Real(0.044715);  // 2 sqrt(2 / pi)
  const Real near = x > 30 ? 30 : x < -30 ? -30 : x;  // the gate is 0 or 1 there; clamping keeps x^2 finite
  const Real gate = math::sigmoid(scale * (near + cubic * near * near * near));
  return gated(x, gate, gate * (1 - gate) * scale * (1 + 3 * cubic * near * near));
}

}  // namespace

Var operator-(Var x) { return detail::pointwise<Negate>(x); }
Var exp(Var x) { return detail::pointwise<Exp>(x); }
Var log(Var x) { return detail::pointwise<Log>(x); }
Var sqrt(Var x) { return detail::pointwise<Sqrt>(x); }
Var square(Var x) { return detail::pointwise<Square>(x); }
Var abs(Var x) { return detail::pointwise<Abs>(x); }
Var relu(Var x) { return detail::pointwise<Relu>(x); }
Var tanh(Var x) { return detail::pointwise<Tanh>(x); }
Var linear(Var x) { return x; }

Var leaky_relu(Var x, double negative_slope) {
  require<ValueError>(std::isfinite(negative_slope), "leaky_relu: negative_slope is {}; it must be finite",
                      negative_slope);
  return detail::pointwise(x, LeakyRelu{static_cast<Real>(negative_slope)},
                           {"leaky_relu", {{"negative_slope", negative_slope}}});
}
Var leaky_relu(Var x) { return leaky_relu(x, 0.2); }

Var elu(Var x, double alpha) {
  require<ValueError>(std::isfinite(alpha), "elu: alpha is {}; it must be finite", alpha);
  return detail::with_slopes(x, {"elu", {{"alpha", alpha}}}, [a = static_cast<Real>(alpha)](Real v) {
    const Real below = a * math::expm1(v);
    return v > 0 ? detail::Point{v, 1} : detail::Point{below, below + a};
  });
}
Var elu(Var x) { return elu(x, 1); }

Var gelu(Var x, const GeluOptions& options) {
  return options.approximate
             ? detail::with_slopes(x, {"gelu", {{"approximate", true}}}, [](Real v) { return gelu_by_tanh(v); })
             : gelu(x);
}

Var gelu(Var x) {
  return detail::with_slopes(x, {"gelu", {{"approximate", false}}}, [](Real v) {
    const auto [density, cumulative] = math::normal(v);
    return gated(v, cumulative, density);
  });
}

Var swish(Var x) {
  return detail::with_slopes(x, "swish", [](Real v) {
    const Real s = math::sigmoid(v);
    return gated(v, s, s * (1 - s));
  });
}

Var silu(Var x) { return swish(x); }

Var softplus(Var x) {
  return detail::with_slopes(x, "softplus", [](Real v) {
    const Real e = math::exp(-std::abs(v));  // at most 1
    return detail::Point{std::max(v, Real{0}) + math::log1p(e), (v >= 0 ? Real{1} : e) / (1 + e)};
  });
}

Var sigmoid(Var x) {
  const Var y = detail::pointwise<Sigmoid>(x);
  y.made_from_logits(x, false);
  return y;
}

// ---- Loops without a tape ----

namespace {

struct Linear {
  static Real value(Real x) { return x; }
};

struct Swish {
  static Real value(Real x) { return x * math::sigmoid(x); }
};

struct Softplus {
  static Real value(Real x) { return std::max(x, Real{0}) + math::log1p(math::exp(-std::abs(x))); }
};

struct Gelu {
  static Real value(Real x) { return x * math::normal(x).cumulative; }
};

struct DefaultElu {
  static Real value(Real x) { return x > 0 ? x : math::expm1(x); }
};

struct DefaultLeakyRelu {
  static Real value(Real x) { return x > 0 ? x : Real(0.2) * x; }
};

}  // namespace

detail::PointwiseLoop detail::pointwise_loop(std::string_view op) {
  const PointwiseLoop found = loop_named<11>(op, {{{"negate", detail::loop<Negate>},
                                                   {"exp", detail::loop<Exp>},
                                                   {"log", detail::loop<Log>},
                                                   {"sqrt", detail::loop<Sqrt>},
                                                   {"square", detail::loop<Square>},
                                                   {"abs", detail::loop<Abs>},
                                                   {"relu", detail::loop<Relu>},
                                                   {"sigmoid", detail::loop<Sigmoid>},
                                                   {"tanh", detail::loop<Tanh>},
                                                   {"swish", detail::loop<Swish>},
                                                   {"softplus", detail::loop<Softplus>}}});
  return found != nullptr ? found : more_pointwise_loop(op);
}

detail::PointwiseLoop detail::activation_loop(std::string_view name) {
  const PointwiseLoop found = loop_named<11>(name, {{{"linear", detail::loop<Linear>},
                                                     {"relu", detail::loop<Relu>},
                                                     {"sigmoid", detail::loop<Sigmoid>},
                                                     {"tanh", detail::loop<Tanh>},
                                                     {"swish", detail::loop<Swish>},
                                                     {"silu", detail::loop<Swish>},
                                                     {"softplus", detail::loop<Softplus>},
                                                     {"exponential", detail::loop<Exp>},
                                                     {"gelu", detail::loop<Gelu>},
                                                     {"elu", detail::loop<DefaultElu>},
                                                     {"leaky_relu", detail::loop<DefaultLeakyRelu>}}});
  return found != nullptr ? found : more_activation_loop(name);
}

}  // namespace cornu
