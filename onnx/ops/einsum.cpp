#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

#include "cornu/core/error.h"
#include "cornu/onnx/broadcast.h"
#include "cornu/onnx/ops/ops.h"

/// Einsum.
namespace cornu::onnx::detail {

namespace {

/// Labels are letters; the axes of an ellipsis have the labels 0, 1, ..., counted from its last axis.
struct Labels {
  std::array<char, Shape::max_rank> of{};
  Index count = 0;

  char operator[](Index i) const { return of[static_cast<std::size_t>(i)]; }
  bool has(char label) const { return std::find(of.begin(), of.begin() + count, label) != of.begin() + count; }
  Index at(char label) const { return std::find(of.begin(), of.begin() + count, label) - of.begin(); }
  void add(char label) {
    if (count == Shape::max_rank) throw FormatError(message("more than {} labels in a term", Shape::max_rank));
    of[static_cast<std::size_t>(count++)] = label;
  }
  Labels without(char label) const {
    Labels result;
    for (Index i = 0; i < count; ++i) {
      if (of[static_cast<std::size_t>(i)] != label) result.add(of[static_cast<std::size_t>(i)]);
    }
    return result;
  }
};

bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

/// A term whose ellipsis stands for `open` axes.
Labels read_term(std::string_view term, Index open) {
  Labels result;
  bool has_ellipsis = false;
  for (std::size_t i = 0; i < term.size(); ++i) {
    if (term[i] == ' ') continue;
    if (term.substr(i, 3) == "...") {
      require<FormatError>(!std::exchange(has_ellipsis, true), "a term has more than one ellipsis");
      for (Index k = open; k-- > 0;) result.add(static_cast<char>(k));
      i += 2;
      continue;
    }
    if (!is_letter(term[i])) throw FormatError(message("the term '{}' is not made of letters and '...'", term));
    result.add(term[i]);
  }
  return result;
}

Index letters_of(std::string_view term) {
  return static_cast<Index>(std::count_if(term.begin(), term.end(), is_letter));
}

/// A factor: each label once, in the order of its axes.
struct Factor {
  Value value;
  Labels labels;
};

/// The equation, with the lengths of all labels.
struct Equation {
  std::array<Index, 128> lengths{};
  Labels result;
  std::span<Factor> factors;

  explicit Equation(Call& call) {
    const std::string_view text = call.attribute("equation", AttributeType::text).text;
    const std::size_t arrow = text.find("->");
    const std::string_view left = text.substr(0, arrow);
    const std::size_t terms = static_cast<std::size_t>(std::count(left.begin(), left.end(), ',')) + 1;
    require<FormatError>(terms == call.input_count(), "an equation of {} terms for {} inputs", terms,
                         call.input_count());
    factors = call.memory<Factor>(terms);
    Index ellipsis = 0;  // the most axes of one
    std::array<int, 128> uses{};
    lengths.fill(-1);
    std::string_view rest = left;
    for (std::size_t i = 0; i < terms; ++i) {
      const std::string_view term = rest.substr(0, rest.find(','));
      rest = i + 1 < terms ? rest.substr(term.size() + 1) : std::string_view();
      const Value x = call.value(i);
      const Shape s = x.shape();
      require<FormatError>(x.kind() == call.kind(0), "its inputs are of different types");
      const bool is_open = term.find("...") != std::string_view::npos;
      const Index open = is_open ? s.rank() - letters_of(term) : 0;
      if (open < 0 || open + letters_of(term) != s.rank()) {
        throw FormatError(message("the term '{}' of '{}' for an input of shape {}", term, text, s));
      }
      ellipsis = std::max(ellipsis, open);
      const Labels labels = read_term(term, open);
      for (Index d = 0; d < labels.count; ++d) {
        Index& length = lengths[place_of(labels[d])];
        if (length != s[d] && length != -1 && length != 1 && s[d] != 1) {
          throw ShapeError(message("'{}': an axis of {} and one of {} have the same label", text, length, s[d]));
        }
        if (length == -1 || length == 1) length = s[d];
        ++uses[place_of(labels[d])];
      }
      std::construct_at(&factors[i], Factor{x, labels});
    }
    if (arrow != std::string_view::npos) {
      result = read_term(text.substr(arrow + 2), ellipsis);
      if (ellipsis > 0 && text.find("...", arrow) == std::string_view::npos) {
        throw FormatError(message("'{}': the result has no ellipsis", text));
      }
    } else {
      // The axes of the ellipsis, and the letters that occur once, in order.
      for (Index k = ellipsis; k-- > 0;) result.add(static_cast<char>(k));
      for (std::size_t c = 'A'; c <= 'z'; ++c) {
        if (is_letter(static_cast<char>(c)) && uses[c] == 1) result.add(static_cast<char>(c));
      }
    }
    for (Index i = 0; i < result.count; ++i) {
      if (length(result[i]) < 0 || result.at(result[i]) != i) {
        throw FormatError(message("'{}': a label of the result occurs twice or in no term", text));
      }
    }
  }

  static std::size_t place_of(char label) { return static_cast<unsigned char>(label); }
  Index length(char label) const { return lengths[place_of(label)]; }
  Shape shape_of(const Labels& labels) const {
    Shape shape;
    for (Index i = 0; i < labels.count; ++i) shape = shape.inserted(i, length(labels[i]));
    return shape;
  }
};

/// The factor with each label once and in full length: takes diagonals and repeats axes of 1.
Factor prepared(Call& call, const Equation& equation, const Factor& factor) {
  Tape& tape = call.tape();
  const Value full = expand(tape, factor.value, equation.shape_of(factor.labels));
  Labels labels;
  for (Index i = 0; i < factor.labels.count; ++i) {
    if (!labels.has(factor.labels[i])) labels.add(factor.labels[i]);
  }
  if (labels.count == factor.labels.count) return {full, labels};
  const Shape from = full.shape(), shape = equation.shape_of(labels);
  const std::span<Index> positions = counted(tape, shape.size());
  for (Index& position : positions) {
    std::array<Index, Shape::max_rank> at{};
    for (Index d = labels.count; d-- > 0; position /= shape[d]) at[static_cast<std::size_t>(d)] = position % shape[d];
    Index flat = 0;
    for (Index d = 0; d < from.rank(); ++d) {
      flat = flat * from[d] + at[static_cast<std::size_t>(labels.at(factor.labels[d]))];
    }
    position = flat;
  }
  return {gather(tape, full, shape, positions), labels};
}

// ---- Floats: sums, products and matrix products of core, which have gradients. ----

Var ordered(Tape& tape, Var x, const Labels& from, const Labels& to) {
  const std::span<Index> axes = counted(tape, to.count);
  bool is_identity = true;
  for (Index i = 0; i < to.count; ++i) {
    axes[static_cast<std::size_t>(i)] = from.at(to[i]);
    is_identity = is_identity && from[i] == to[i];
  }
  return is_identity ? x : cornu::transpose(x, axes);
}

/// Sums over the axes whose label `is_kept` rejects.
template <class F>
void sum_others(Var& x, Labels& labels, F is_kept) {
  for (Index i = labels.count; i-- > 0;) {
    if (is_kept(labels[i])) continue;
    x = cornu::sum(x, i);
    labels = labels.without(labels[i]);
  }
}

/// The product of two factors, summed over the labels that are not needed after it.
template <class F>
Var contract(Tape& tape, Var a, Labels of_a, Var b, Labels of_b, F is_needed, Labels& result) {
  sum_others(a, of_a, [&](char label) { return of_b.has(label) || is_needed(label); });
  sum_others(b, of_b, [&](char label) { return of_a.has(label) || is_needed(label); });
  Labels batch, summed, left, right;
  Index batches = 1, inner = 1, rows = 1, columns = 1;
  for (Index i = 0; i < of_a.count; ++i) {
    const char label = of_a[i];
    const bool shared = of_b.has(label);
    (!shared ? left : is_needed(label) ? batch : summed).add(label);
    (!shared ? rows : is_needed(label) ? batches : inner) *= a.shape()[i];
  }
  for (Index i = 0; i < of_b.count; ++i) {
    if (of_a.has(of_b[i])) continue;
    right.add(of_b[i]);
    columns *= b.shape()[i];
  }
  const auto joined = [](Labels x, const Labels& y, const Labels& z) {
    for (Index i = 0; i < y.count; ++i) x.add(y[i]);
    for (Index i = 0; i < z.count; ++i) x.add(z[i]);
    return x;
  };
  result = joined(batch, left, right);
  Shape shape;
  for (Index i = 0; i < result.count; ++i) {
    const bool is_of_a = of_a.has(result[i]);
    shape = shape.inserted(i, is_of_a ? a.shape()[of_a.at(result[i])] : b.shape()[of_b.at(result[i])]);
  }
  const Var x = cornu::reshape(ordered(tape, a, of_a, joined(batch, left, summed)), Shape{batches, rows, inner}),
            y = cornu::reshape(ordered(tape, b, of_b, joined(batch, summed, right)), Shape{batches, inner, columns});
  return cornu::reshape(summed.count == 0 ? x * y : matmul(x, y), shape);
}

Var product_of_reals(Tape& tape, const Equation& equation) {
  Var x = plain(equation.factors[0].value);
  Labels labels = equation.factors[0].labels;
  for (std::size_t i = 1; i < equation.factors.size(); ++i) {
    const auto is_needed = [&](char label) {
      const auto later = equation.factors.subspan(i + 1);
      return equation.result.has(label) ||
             std::any_of(later.begin(), later.end(), [=](const Factor& factor) { return factor.labels.has(label); });
    };
    const Factor& other = equation.factors[i];
    Labels next;
    x = contract(tape, x, labels, plain(other.value), other.labels, is_needed, next);
    labels = next;
  }
  sum_others(x, labels, [&](char label) { return equation.result.has(label); });
  return ordered(tape, x, labels, equation.result);
}

// ---- Whole numbers: one product after the other, with 64 bits. ----

constexpr Index max_products = Index{1} << 32;

void product_of_integers(Call& call, const Equation& equation) {
  // All labels, the result's first, so that its elements are counted up in order.
  std::array<char, 128> labels{};
  std::size_t count = 0;
  for (Index i = 0; i < equation.result.count; ++i) labels[count++] = equation.result[i];
  Index each = 1;  // products that are summed
  for (char label = 0; label < 127; ++label) {
    if (equation.length(label) < 0 || equation.result.has(label)) continue;
    labels[count++] = label;
    if (equation.length(label) == 0) each = 0;
    require<ValueError>(!__builtin_mul_overflow(each, equation.length(label), &each), "its sums are too long");
  }
  const std::span<Factor> factors = equation.factors;
  const Shape shape = equation.shape_of(equation.result);
  // Short inputs can ask for days of work.
  Index products = 0;
  require<ValueError>(!__builtin_mul_overflow(shape.size(), each, &products) && products <= max_products,
                      "more than {} products of integers", max_products);
  const std::span<Index> result = call.memory<Index>(static_cast<std::size_t>(shape.size())),
                         strides = call.memory<Index>(factors.size() * count), at = call.memory<Index>(factors.size());
  for (std::size_t f = 0; f < factors.size(); ++f) {
    at[f] = 0;
    for (std::size_t k = 0; k < count; ++k) {
      const Index axis = factors[f].labels.at(labels[k]);
      const bool has = axis < factors[f].labels.count;
      strides[f * count + k] = has ? factors[f].value.whole.sub(axis + 1).size() : 0;
    }
  }
  std::array<Index, 128> counters{};
  for (Index& sum : result) {
    sum = 0;
    for (Index i = 0; i < each; ++i) {
      Index product = 1;
      bool overflows = false;
      for (std::size_t f = 0; f < factors.size(); ++f) {
        overflows = overflows || __builtin_mul_overflow(product, factors[f].value.integers[at[f]], &product);
      }
      require<ValueError>(!overflows && !__builtin_add_overflow(sum, product, &sum), "its integers overflow 64 bits");
      for (std::size_t k = count; k-- > 0;) {
        const bool wraps = ++counters[k] == equation.length(labels[k]);
        for (std::size_t f = 0; f < factors.size(); ++f) {
          at[f] += strides[f * count + k] * (wraps ? 1 - counters[k] : 1);
        }
        if (!wraps) break;
        counters[k] = 0;
      }
    }
    sum = wrapped(call.type(0), sum);
  }
  call.integer_result(0, call.type(0), shape, result);
}

void einsum(Call& call) {
  const Equation equation(call);
  for (Factor& factor : equation.factors) factor = prepared(call, equation, factor);
  call.is_real() ? call.result(product_of_reals(call.tape(), equation)) : product_of_integers(call, equation);
}

}  // namespace

std::span<const Op> einsum_ops() {
  static constexpr Op ops[] = {
      {.name = "Einsum",
       .since = 12,
       .inputs = {1, many},
       .attributes = "equation ",
       .takes = numbers,
       .weights = 0b11,
       .run = einsum},
  };
  return ops;
}

}  // namespace cornu::onnx::detail
