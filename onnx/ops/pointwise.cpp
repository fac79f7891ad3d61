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

/// The same for whole numbers, g.
template <Var (*f)(Var), Index (*g)(Index)>
void pointwise(Call& call) {
  call.is_real() ? call.map(f) : call.map_integers(g);
}

Var negated(Var x) { return -x; }
Var inverse(Var x) { return 1 / x; }

Index negated_integer(Index x) {
  Index result = 0;
  require<ValueError>(!__builtin_sub_overflow(Index{0}, x, &result), "its integers overflow 64 bits");
  return result;
}
Index size_of_integer(Index x) { return x < 0 ? negated_integer(x) : x; }
Index positive_part(Index x) { return std::max(x, Index{0}); }
Index is_false(Index x) { return x == 0 ? 1 : 0; }
Index inverted(Index x) { return ~x; }

void logical_not(Call& call) { call.map_integers(is_false); }
void bitwise_not(Call& call) { call.map_integers(inverted); }

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
    slope = cornu::reshape(slope, shape);
  }
  call.result(relu(x) - slope * relu(-x));
}

/// Before opset 11, the bounds are attributes.
void clip(Call& call) {
  if (!call.is_real()) {
    const auto bound = [&](std::size_t input, Index otherwise) {
      if (!call.has(input)) return otherwise;
      require(call.value(input).size() == 1, "input {} has shape {}; one number is required", input, call.shape(input));
      return call.integers(input)[0];
    };
    const auto [lowest, highest] = range_of(call.type(0));
    const Index least = bound(1, lowest), most = bound(2, highest);
    return call.map_integers([=](Index x) { return std::min(std::max(x, least), most); });
  }
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
  call.map([&](Var v) { return Dropout{.rate = rate}.forward(v); });
  if (!call.wants(1)) return;
  require<FormatError>(!call.tape().training(), "its mask output is used in training, which is not supported");
  const Shape shape = call.shape(0);
  const std::span<Index> mask = call.memory<Index>(static_cast<std::size_t>(shape.size()));
  std::fill(mask.begin(), mask.end(), Index{1});
  call.integer_result(1, ElementType::boolean, shape, mask);
}

// ---- Conversions of types ----

/// Floats in the precision of a type, rounded to nearest, ties to even. The gradient is that of the identity.
Var rounded(Var x, ElementType type) {
  if (type != ElementType::float16 && type != ElementType::bfloat16) return x;
  const Var y = x.tape().output(x.shape(), {x});
  const Real* const from = x.value().data();
  const bool is_half = type == ElementType::float16;
  for (Index i = 0; i < y.size(); ++i) {
    const auto number = static_cast<double>(from[i]);
    int exponent = 0;
    std::frexp(number, &exponent);
    // Half: 11 digits, from 2^-14 on. bfloat16: 8 digits, from 2^-126 on.
    const int digits = is_half ? 11 : 8, least = is_half ? -13 : -125;
    const double step = std::ldexp(1.0, std::max(exponent, least) - digits);
    double result = std::isfinite(number) ? std::nearbyint(number / step) * step : number;
    if (is_half && std::abs(result) > 65504) result = std::copysign(HUGE_VAL, number);
    y.out()[i] = static_cast<Real>(result);
  }
  return y.backward([=] {
    if (Sink dx = x.sink()) {
      const Real* const g = y.grad().data();
      assign(dx, [=](Index i) { return g[i]; });
    }
  });
}

void convert(Call& call, ElementType to) {
  const Value& x = call.value(0);
  const Kind kind = kind_of(to);
  if (kind == Kind::real) {
    const Var y = x.is_real() ? x.var : as_real(call.tape(), x);
    return call.result(0, {.type = to, .layout = x.is_real() ? x.layout : Layout::plain, .var = rounded(y, to)});
  }
  const Shape shape = x.shape();
  const std::span<Index> result = call.memory<Index>(static_cast<std::size_t>(shape.size()));
  if (x.is_real()) {
    const ConstView numbers = plain(x).value();
    const double wide = std::max(0.0, static_cast<double>(range_of(to).second)) + 1,
                 least = static_cast<double>(range_of(to).first);
    for (Index i = 0; i < numbers.size(); ++i) {
      Index& y = result[static_cast<std::size_t>(i)];
      if (kind == Kind::boolean) {
        y = numbers[i] != 0 ? 1 : 0;
        continue;
      }
      const double whole = std::trunc(static_cast<double>(numbers[i]));
      require<ValueError>(least <= whole && whole < wide, "{} is out of the range of {}", numbers[i],
                          name_of_element_type(static_cast<std::int64_t>(to)));
      y = static_cast<Index>(whole);
    }
  } else {
    for (std::size_t i = 0; i < result.size(); ++i) result[i] = wrapped(to, x.integers[i]);
  }
  Value y = whole_value(to, shape, result, call.source());
  if (x.kind() == Kind::integer && kind == Kind::integer) y.var = x.var;
  call.result(0, y);
}

/// `saturate` and `round_mode` concern floats of 8 bits, which Cornu does not have.
void cast(Call& call) { convert(call, supported_type(call.integer("to"))); }
void cast_like(Call& call) { convert(call, call.type(1)); }

/// Booleans of floats.
template <class F>
void classify(Call& call, F f) {
  const Var x = call[0];
  const std::span<Index> result = call.memory<Index>(static_cast<std::size_t>(x.size()));
  for (std::size_t i = 0; i < result.size(); ++i) result[i] = f(x.value()[static_cast<Index>(i)]) ? 1 : 0;
  call.integer_result(0, ElementType::boolean, x.shape(), result);
}
void is_nan(Call& call) {
  classify(call, [](Real v) { return std::isnan(v); });
}
void is_infinite(Call& call) {
  const bool positive = call.integer("detect_positive", 1) != 0, negative = call.integer("detect_negative", 1) != 0;
  classify(call, [=](Real v) { return std::isinf(v) && (v > 0 ? positive : negative); });
}

}  // namespace

ElementType supported_type(Index type) {
  switch (const auto to = static_cast<ElementType>(type)) {
    case ElementType::float32:
    case ElementType::float64:
    case ElementType::float16:
    case ElementType::bfloat16:
    case ElementType::boolean:
    case ElementType::int8:
    case ElementType::int16:
    case ElementType::int32:
    case ElementType::int64:
    case ElementType::uint8:
    case ElementType::uint16:
    case ElementType::uint32:
    case ElementType::uint64:
      return to;
    default:
      throw FormatError(message("elements of type {}, which Cornu does not support", name_of_element_type(type)));
  }
}

std::span<const Op> pointwise_ops() {
  constexpr Gradient zero = Gradient::zero;
  static constexpr Op ops[] = {
      {.name = "Abs", .since = 6, .takes = numbers, .run = pointwise<abs, size_of_integer>},
      {.name = "BitwiseNot", .since = 18, .takes = integers, .gradient = zero, .run = bitwise_not},
      {.name = "Cast", .since = 6, .attributes = "round_mode saturate to ", .takes = anything, .run = cast},
      {.name = "CastLike",
       .since = 15,
       .inputs = {2, 2},
       .attributes = "round_mode saturate ",
       .takes = anything,
       .run = cast_like},
      {.name = "Clip", .since = 6, .inputs = {1, 3}, .attributes = "max min ", .takes = numbers, .run = clip},
      {.name = "Dropout",
       .since = 6,
       .inputs = {1, 3},
       .outputs = 2,
       .attributes = "is_test ratio seed ",
       .run = dropout},
      {.name = "Elu", .since = 6, .attributes = "alpha ", .run = run_elu},
      {.name = "Erf", .since = 9, .run = pointwise<erf>},
      {.name = "Exp", .since = 6, .run = pointwise<exp>},
      {.name = "Identity", .takes = anything, .run = identity},
      {.name = "IsInf",
       .since = 10,
       .attributes = "detect_negative detect_positive ",
       .gradient = zero,
       .run = is_infinite},
      {.name = "IsNaN", .since = 9, .gradient = zero, .run = is_nan},
      {.name = "LeakyRelu", .since = 6, .attributes = "alpha ", .run = run_leaky_relu},
      {.name = "Log", .since = 6, .run = pointwise<log>},
      {.name = "Neg", .since = 6, .takes = numbers, .run = pointwise<negated, negated_integer>},
      {.name = "Not", .takes = booleans, .gradient = zero, .run = logical_not},
      {.name = "PRelu", .since = 6, .inputs = {2, 2}, .weights = 0b10, .run = prelu},
      {.name = "Reciprocal", .since = 6, .run = pointwise<inverse>},
      {.name = "Relu", .since = 6, .takes = numbers, .run = pointwise<relu, positive_part>},
      {.name = "Selu", .since = 6, .attributes = "alpha gamma ", .run = selu},
      {.name = "Sigmoid", .since = 6, .run = pointwise<sigmoid>},
      {.name = "Softplus", .run = pointwise<softplus>},
      {.name = "Sqrt", .since = 6, .run = pointwise<sqrt>},
      {.name = "Tanh", .since = 6, .run = pointwise<tanh>},
  };
  return ops;
}

}  // namespace cornu::onnx::detail
