#include <algorithm>
#include <array>
#include <cmath>
#include <string_view>

#include "cornu/core/error.h"
#include "cornu/core/kernels/vector_math.h"
#include "cornu/core/ops/ops.h"
#include "cornu/core/ops/unary.h"

/// Activations beyond those of pointwise.cpp. Those that are exact as formulas of other ops are formulas.
namespace cornu {

namespace {

struct HardSigmoid {
  static constexpr const char* name = "hard_sigmoid";
  static Real value(Real x) { return x <= -3 ? Real{0} : x >= 3 ? Real{1} : x / 6 + Real(0.5); }
  static Real slope(Real x, Real) { return x > -3 && x < 3 ? Real(1.0 / 6) : Real{0}; }
};

struct HardSilu {
  static constexpr const char* name = "hard_silu";
  static Real value(Real x) { return x <= -3 ? Real{0} : x >= 3 ? x : x * (x / 6 + Real(0.5)); }
  static Real slope(Real x, Real) { return x <= -3 ? Real{0} : x >= 3 ? Real{1} : x / 3 + Real(0.5); }
};

struct Softsign {
  static constexpr const char* name = "softsign";
  static Real value(Real x) { return x / (1 + std::abs(x)); }
  static Real slope(Real x, Real) {
    const Real root = 1 / (1 + std::abs(x));
    return root * root;
  }
};

/// With e = e^x, tanh(log(1 + e)) = ((1 + e)^2 - 1) / ((1 + e)^2 + 1), without cancellation. It is 1 for x > 20, and
/// there e^4 could overflow.
struct Mish {
  static constexpr const char* name = "mish";
  static detail::Point point(Real x) {
    const Real near = x > 20 ? 20 : x, e = math::exp(near), n = e * (e + 2), gate = n / (n + 2);
    return {x * gate, gate + near * (4 * e * (1 + e) / ((n + 2) * (n + 2)))};
  }
  static Real value(Real x) { return point(x).value; }
};

// Keras's and PyTorch's constants (Klambauer et al., 2017).
constexpr double selu_alpha = 1.6732632423543772848, selu_scale = 1.0507009873554804934;

// Without a tape, what is a formula of ops below.
struct Relu6 {
  static Real value(Real x) { return x < 0 ? Real{0} : x > 6 ? Real{6} : x; }
};
struct Selu {
  static Real value(Real x) { return Real(selu_scale) * (x > 0 ? x : Real(selu_alpha) * math::expm1(x)); }
};
struct DefaultCelu {
  static Real value(Real x) { return x > 0 ? x : math::expm1(x); }
};
struct LogSigmoid {
  static Real value(Real x) { return std::min(x, Real{0}) - math::log1p(math::exp(-std::abs(x))); }
};

}  // namespace

Var hard_sigmoid(Var x) { return detail::pointwise<HardSigmoid>(x); }
Var hard_silu(Var x) { return detail::pointwise<HardSilu>(x); }
Var hard_swish(Var x) { return hard_silu(x); }
Var softsign(Var x) { return detail::pointwise<Softsign>(x); }
Var mish(Var x) { return detail::with_slopes(x, Mish::name, Mish::point); }

Var relu6(Var x) { return minimum(relu(x), 6); }
Var selu(Var x) { return selu_scale * elu(x, selu_alpha); }
Var log_sigmoid(Var x) { return -softplus(-x); }

Var celu(Var x, double alpha) {
  require<ValueError>(std::isfinite(alpha) && alpha > 0, "celu: alpha is {}; a finite number above 0 is required",
                      alpha);
  return alpha * elu(x / alpha);
}
Var celu(Var x) { return elu(x); }

detail::PointwiseLoop detail::more_pointwise_loop(std::string_view op) {
  const PointwiseLoop found = loop_named<4>(op, {{{"hard_sigmoid", loop<HardSigmoid>},
                                                  {"hard_silu", loop<HardSilu>},
                                                  {"softsign", loop<Softsign>},
                                                  {"mish", loop<Mish>}}});
  return found != nullptr ? found : elementary_loop(op);
}

detail::PointwiseLoop detail::more_activation_loop(std::string_view name) {
  return loop_named<9>(name, {{{"hard_sigmoid", loop<HardSigmoid>},
                               {"hard_silu", loop<HardSilu>},
                               {"hard_swish", loop<HardSilu>},
                               {"softsign", loop<Softsign>},
                               {"mish", loop<Mish>},
                               {"relu6", loop<Relu6>},
                               {"selu", loop<Selu>},
                               {"celu", loop<DefaultCelu>},
                               {"log_sigmoid", loop<LogSigmoid>}}});
}

}  // namespace cornu
