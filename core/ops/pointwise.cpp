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

namespace cornu {

namespace {

/// A unary op: its name, value(x), and slope(x, y), its derivative given x and y = value(x). Options are members.
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

struct NotEqual {
  Real value_of_equal;
  Real value(Real x) const { return x != value_of_equal ? Real{1} : Real{0}; }
  Real slope(Real, Real) const { return 0; }
};

template <class F>
Var pointwise(Var x, F op, OpDescription&& described) {
  Var y = x.tape().output(x.shape(), {x}, std::move(described));
  y.masked_as(x);
  assign(y.out(), [op, from = x.value().data()](Index i) { return op.value(from[i]); });
  return y.backward([=] {
    if (Sink dx = x.sink()) {
      const Real *const vx = x.value().data(), *const vy = y.value().data(), *const g = y.grad().data();
      assign(dx, [=](Index i) { return g[i] * op.slope(vx[i], vy[i]); });
    }
  });
}

template <class F>
Var pointwise(Var x) {
  return pointwise(x, F{}, F::name);
}

/// The value and slope of a function, for functions where they share most of their work.
struct Point {
  Real value, slope;
};

template <class F>
Var with_slopes(Var x, OpDescription&& described, F f) {
  Var y = x.tape().output(x.shape(), {x}, std::move(described));
  y.masked_as(x);
  // Without a gradient the slopes are not needed: each goes into y and is then overwritten by its value.
  Real* const slopes = y.wants_gradient() ? x.tape().scratch(x.shape()).data() : y.out().data();
  assign(y.out(), [f, slopes, from = x.value().data()](Index i) {
    const Point point = f(from[i]);
    slopes[i] = point.slope;
    return point.value;
  });
  return y.backward([=] {
    if (Sink dx = x.sink()) multiply(y.grad().data(), slopes, dx);
  });
}

/// x gate(x), given gate(x) and its slope at x.
Point gated(Real x, Real gate, Real slope) { return {x * gate, gate + x * slope}; }

/// Computes x (1 + tanh(u)) / 2 as x sigmoid(2 u), which avoids the cancellation for tanh(u) near -1.
Point gelu_by_tanh(Real x) {
  constexpr Real scale = Real(1.5957691216057308), cubic = Real(0.044715);  // 2 sqrt(2 / pi)
  const Real near = x > 30 ? 30 : x < -30 ? -30 : x;  // the gate is 0 or 1 there; clamping keeps x^2 finite
  const Real gate = math::sigmoid(scale * (near + cubic * near * near * near));
  return gated(x, gate, gate * (1 - gate) * scale * (1 + 3 * cubic * near * near));
}

}  // namespace

Var operator-(Var x) { return pointwise<Negate>(x); }
Var exp(Var x) { return pointwise<Exp>(x); }
Var log(Var x) { return pointwise<Log>(x); }
Var sqrt(Var x) { return pointwise<Sqrt>(x); }
Var square(Var x) { return pointwise<Square>(x); }
Var abs(Var x) { return pointwise<Abs>(x); }
Var relu(Var x) { return pointwise<Relu>(x); }
Var tanh(Var x) { return pointwise<Tanh>(x); }
Var linear(Var x) { return x; }

Var leaky_relu(Var x, double negative_slope) {
  require<ValueError>(std::isfinite(negative_slope), "leaky_relu: negative_slope is {}; it must be finite",
                      negative_slope);
  return pointwise(x, LeakyRelu{static_cast<Real>(negative_slope)},
                   {"leaky_relu", {{"negative_slope", negative_slope}}});
}
Var leaky_relu(Var x) { return leaky_relu(x, 0.2); }

Var elu(Var x, double alpha) {
  require<ValueError>(std::isfinite(alpha), "elu: alpha is {}; it must be finite", alpha);
  return with_slopes(x, {"elu", {{"alpha", alpha}}}, [a = static_cast<Real>(alpha)](Real v) {
    const Real below = a * math::expm1(v);
    return v > 0 ? Point{v, 1} : Point{below, below + a};
  });
}
Var elu(Var x) { return elu(x, 1); }

Var not_equal(Var x, double value) {
  return pointwise(x, NotEqual{static_cast<Real>(value)}, {"not_equal", {{"value", value}}});
}

Var gelu(Var x, const GeluOptions& options) {
  return options.approximate ? with_slopes(x, {"gelu", {{"approximate", true}}}, [](Real v) { return gelu_by_tanh(v); })
                             : gelu(x);
}

Var gelu(Var x) {
  return with_slopes(x, {"gelu", {{"approximate", false}}}, [](Real v) {
    const auto [density, cumulative] = math::normal(v);
    return gated(v, cumulative, density);
  });
}

Var swish(Var x) {
  return with_slopes(x, "swish", [](Real v) {
    const Real s = math::sigmoid(v);
    return gated(v, s, s * (1 - s));
  });
}

Var silu(Var x) { return swish(x); }

Var softplus(Var x) {
  return with_slopes(x, "softplus", [](Real v) {
    const Real e = math::exp(-std::abs(v));  // at most 1
    return Point{std::max(v, Real{0}) + math::log1p(e), (v >= 0 ? Real{1} : e) / (1 + e)};
  });
}

Var sigmoid(Var x) {
  const Var y = pointwise<Sigmoid>(x);
  y.made_from_logits(x, false);
  return y;
}

// ---- Loops without a tape ----

namespace {

template <class F>
void loop(const Real* x, Index n, Real* y) {
  vectorized([=] {
    for (Index i = 0; i < n; ++i) y[i] = F::value(x[i]);
  });
}

template <std::size_t count>
detail::PointwiseLoop loop_named(std::string_view name,
                                 const std::array<std::pair<std::string_view, detail::PointwiseLoop>, count>& loops) {
  const auto found = std::find_if(loops.begin(), loops.end(), [&](const auto& row) { return row.first == name; });
  return found == loops.end() ? nullptr : found->second;
}

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
  return loop_named<11>(op, {{{"negate", loop<Negate>},
                              {"exp", loop<Exp>},
                              {"log", loop<Log>},
                              {"sqrt", loop<Sqrt>},
                              {"square", loop<Square>},
                              {"abs", loop<Abs>},
                              {"relu", loop<Relu>},
                              {"sigmoid", loop<Sigmoid>},
                              {"tanh", loop<Tanh>},
                              {"swish", loop<Swish>},
                              {"softplus", loop<Softplus>}}});
}

detail::PointwiseLoop detail::activation_loop(std::string_view name) {
  return loop_named<11>(name, {{{"linear", loop<Linear>},
                                {"relu", loop<Relu>},
                                {"sigmoid", loop<Sigmoid>},
                                {"tanh", loop<Tanh>},
                                {"swish", loop<Swish>},
                                {"silu", loop<Swish>},
                                {"softplus", loop<Softplus>},
                                {"exponential", loop<Exp>},
                                {"gelu", loop<Gelu>},
                                {"elu", loop<DefaultElu>},
                                {"leaky_relu", loop<DefaultLeakyRelu>}}});
}

}  // namespace cornu
