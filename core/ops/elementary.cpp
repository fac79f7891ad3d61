#include <array>
#include <cmath>
#include <string_view>

#include "cornu/core/error.h"
#include "cornu/core/kernels/vector_math.h"
#include "cornu/core/ops/ops.h"
#include "cornu/core/ops/pairs.h"
#include "cornu/core/ops/unary.h"

namespace cornu {

namespace {

struct Sin {
  static constexpr const char* name = "sin";
  static Real value(Real x) { return std::sin(x); }
  static Real slope(Real x, Real) { return std::cos(x); }
};

struct Cos {
  static constexpr const char* name = "cos";
  static Real value(Real x) { return std::cos(x); }
  static Real slope(Real x, Real) { return -std::sin(x); }
};

struct Erf {
  static constexpr const char* name = "erf";
  static Real value(Real x) { return math::erf(x); }
  static Real slope(Real x, Real) { return Real(1.1283791670955126) * math::exp(-x * x); }  // 2 / sqrt(pi)
};

struct Log1p {
  static constexpr const char* name = "log1p";
  static Real value(Real x) { return math::log1p(x); }
  static Real slope(Real x, Real) { return 1 / (1 + x); }
};

struct Expm1 {
  static constexpr const char* name = "expm1";
  static Real value(Real x) { return math::expm1(x); }
  static Real slope(Real, Real y) { return 1 + y; }
};

struct Clip {
  Real least, most;
  Real value(Real x) const { return x < least ? least : x > most ? most : x; }
  Real slope(Real x, Real) const { return x >= least && x <= most ? Real{1} : Real{0}; }
};

// Functions of steps: their gradients are 0.

struct Sign {
  static constexpr const char* name = "sign";
  static Real value(Real x) { return x > 0 ? Real{1} : x < 0 ? Real{-1} : x == 0 ? Real{0} : x; }
};

struct Floor {
  static constexpr const char* name = "floor";
  static Real value(Real x) { return std::floor(x); }
};

struct Ceil {
  static constexpr const char* name = "ceil";
  static Real value(Real x) { return std::ceil(x); }
};

struct Round {
  static constexpr const char* name = "round";
  static Real value(Real x) { return std::nearbyint(x); }  // in the default rounding mode
};

template <class F>
Var stepwise(Var x) {
  Var y = x.tape().output(x.shape(), {x}, F::name);
  y.masked_as(x);
  assign(y.out(), [from = x.value().data()](Index i) { return F::value(from[i]); });
  return y.backward([=] { detail::add_zero_gradient(x); });
}

}  // namespace

Var sin(Var x) { return detail::pointwise<Sin>(x); }
Var cos(Var x) { return detail::pointwise<Cos>(x); }
Var erf(Var x) { return detail::pointwise<Erf>(x); }
Var log1p(Var x) { return detail::pointwise<Log1p>(x); }
Var expm1(Var x) { return detail::pointwise<Expm1>(x); }
Var sign(Var x) { return stepwise<Sign>(x); }
Var floor(Var x) { return stepwise<Floor>(x); }
Var ceil(Var x) { return stepwise<Ceil>(x); }
Var round(Var x) { return stepwise<Round>(x); }

Var clip(Var x, double least, double most) {
  require<ValueError>(least <= most, "clip: the bounds are {} and {}; numbers are required, the smaller one first",
                      least, most);
  return detail::pointwise(x, Clip{static_cast<Real>(least), static_cast<Real>(most)},
                           {"clip", {{"min", least}, {"max", most}}});
}

detail::PointwiseLoop detail::elementary_loop(std::string_view op) {
  return loop_named<9>(op, {{{"sin", loop<Sin>},
                             {"cos", loop<Cos>},
                             {"erf", loop<Erf>},
                             {"log1p", loop<Log1p>},
                             {"expm1", loop<Expm1>},
                             {"sign", loop<Sign>},
                             {"floor", loop<Floor>},
                             {"ceil", loop<Ceil>},
                             {"round", loop<Round>}}});
}

}  // namespace cornu
