#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "cornu/models/export_cpp/rows.h"

/// How products and normalizations are written.
namespace cornu::detail {

namespace {

CppValue dense(CppOpWriter& to, const CppArgument& bias) {
  const Shape x = to.shape(0), w = to.shape(1);
  return to.call("dense", fmt::format("{}, {}, {}", x.size() / w[0], w[0], w[1]),
                 {to.operand(0), to.weights(1, w[1]), bias});
}

CppValue write_affine(CppOpWriter& to) { return dense(to, to.operand(2)); }

CppValue write_matmul(CppOpWriter& to) {
  const bool transpose_a = to.op().flag("transpose_a"), transpose_b = to.op().flag("transpose_b");
  const Shape a = to.shape(0), b = to.shape(1);  // of rank 2 or more
  if (!transpose_a && !transpose_b && b.rank() == 2 && to.is_known(1)) return dense(to, "nullptr");
  const auto steps = [](const Shape& s, bool transposed) {
    return transposed ? std::pair<Index, Index>{1, s[-1]} : std::pair<Index, Index>{s[-1], 1};
  };
  const auto [a_row, a_inner] = steps(a, transpose_a);
  const auto [b_inner, b_column] = steps(b, transpose_b);
  const Index rows = a[transpose_a ? -1 : -2], inner = a[transpose_a ? -2 : -1], columns = b[transpose_b ? -2 : -1];
  std::string templates = fmt::format("detail::Matrices<{}, {}, {}, {}, {}, {}, {}>", rows, inner, columns, a_row,
                                      a_inner, b_inner, b_column);
  // The batches, whose axes broadcast.
  Index a_size = a[-1] * a[-2], b_size = b[-1] * b[-2];
  std::string axes;
  for (Index i = 3; i <= std::max(a.rank(), b.rank()); ++i) {
    const Index of_a = i <= a.rank() ? a[-i] : 1, of_b = i <= b.rank() ? b[-i] : 1;
    axes.insert(0, fmt::format(", detail::Along<{}, {}, {}>", std::max(of_a, of_b), of_a == 1 ? 0 : a_size,
                               of_b == 1 ? 0 : b_size));
    a_size *= of_a;
    b_size *= of_b;
  }
  return to.call("multiply", templates + axes, {to.operand(0), to.operand(1)});
}

// ---- Normalization ----

/// (x - mean) factor + offset along an axis.
CppValue batch_normalized(CppOpWriter& to, Index axis) {
  to.require_known(1);
  const Shape x = to.shape(0);
  const ConstView variance = to.numbers(2), scale = to.numbers(3);
  Tensor factor(Shape{x[axis]});
  const auto at = [](ConstView numbers, Index i) { return static_cast<double>(numbers[numbers.size() == 1 ? 0 : i]); };
  for (Index i = 0; i < factor.size(); ++i) {
    factor[i] = static_cast<Real>(at(scale, i) / std::sqrt(at(variance, i) + to.op().real("epsilon")));
  }
  const auto whole = [&](std::size_t i) {  // an offset can be one number
    return to.numbers(i).size() == factor.size() ? to.operand_unless(i, 0)
           : to.numbers(i)[0] == 0               ? CppArgument("nullptr")
                                   : to.array(i, "offset", Tensor::full(factor.shape(), to.numbers(i)[0]));
  };
  return to.call("normalize", around(x, axis), {to.operand(0), whole(1), to.array(2, "factor", factor), whole(4)});
}

CppValue write_layer_normalization(CppOpWriter& to) {
  const Shape x = to.shape(0);
  const Index n = x.sub(x.rank() - to.op().integer("axes")).size();
  return to.call("normalize_rows", fmt::format("{}, {}", x.size() / n, n),
                 {to.operand(0), to.operand_unless(1, 1), to.operand_unless(2, 0), to.number_of("epsilon")});
}

}  // namespace

CppRows cpp_product_rows() {
  return {{"affine", write_affine},
          {"matmul", write_matmul},
          {"batch_normalization", [](CppOpWriter& to) { return batch_normalized(to, to.shape(0).rank() - 1); }},
          {"batch_normalization_along", [](CppOpWriter& to) { return batch_normalized(to, to.op().integer("axis")); }},
          {"layer_normalization", write_layer_normalization}};
}

}  // namespace cornu::detail
