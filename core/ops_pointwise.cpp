#include <algorithm>
#include <cmath>

#include "cornu/core/kernels.h"
#include "cornu/core/ops.h"
#include "cornu/core/vector_math.h"

namespace cornu {

namespace {

/// A function of one number: its value at x, and its slope there given x and y = value(x).
struct Negate {
  static Real value(Real x) { return -x; }
  static Real slope(Real, Real) { return -1; }
};

struct Exp {
  static Real value(Real x) { return math::exp(x); }
  static Real slope(Real, Real y) { return y; }
};

struct Log {
  static Real value(Real x) { return math::log(x); }
  static Real slope(Real x, Real) { return 1 / x; }
};

struct Sqrt {
  static Real value(Real x) { return std::sqrt(x); }
  static Real slope(Real, Real y) { return Real(0.5) / y; }
};

struct Square {
  static Real value(Real x) { return x * x; }
  static Real slope(Real x, Real) { return 2 * x; }
};

struct Abs {
  static Real value(Real x) { return std::abs(x); }
  static Real slope(Real x, Real) { return static_cast<Real>((x > 0) - (x < 0)); }
};

struct Relu {
  static Real value(Real x) { return std::max(x, Real{0}); }  // this order keeps a NaN
  static Real slope(Real, Real y) { return y > 0 ? Real{1} : Real{0}; }
};

struct Sigmoid {
  static Real value(Real x) { return math::sigmoid(x); }
  static Real slope(Real, Real y) { return y * (1 - y); }
};

struct Tanh {
  static Real value(Real x) { return math::tanh(x); }
  static Real slope(Real, Real y) { return 1 - y * y; }
};

template <class Op>
Var pointwise(Var x) {
  Var y = x.tape().output(x.shape(), {x});
  assign(y.out(), [from = x.value().data()](Index i) { return Op::value(from[i]); });
  return y.backward([=] {
    if (Sink dx = x.sink()) {
      const Real *const vx = x.value().data(), *const vy = y.value().data(), *const g = y.grad().data();
      assign(dx, [=](Index i) { return g[i] * Op::slope(vx[i], vy[i]); });
    }
  });
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

Var sigmoid(Var x) {
  const Var y = pointwise<Sigmoid>(x);
  y.made_from_logits(x, false);
  return y;
}

}  // namespace cornu
