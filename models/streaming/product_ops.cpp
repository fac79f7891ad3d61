#include <algorithm>
#include <array>
#include <utility>
#include <vector>

#include "cornu/core/error.h"
#include "cornu/core/kernels/row_product.h"
#include "cornu/models/streaming/packed_product.h"
#include "cornu/models/streaming/plan_builder.h"

/// Products with known matrices.
namespace cornu::detail {

namespace {

class Dense final : public StreamOp {
 public:
  Dense(PackedProduct product, const StreamValue& x, const StreamValue& y)
      : product_(std::move(product)), x_(x), y_(y), rows_(x.width / product_.depth()) {}
  void run(const StreamFrame& frame) const override {
    const Index rows = frame.rows[x_.rate] * rows_;
    if (rows == 1) return product_.run_row(x_.in(frame), y_.out(frame));
    product_.run({.left = x_.in(frame), .left_row = product_.depth(), .length = product_.depth()}, rows, y_.out(frame),
                 product_.columns(), true);
  }

 private:
  PackedProduct product_;
  StreamValue x_, y_;
  Index rows_;  // of the product in each row of x
};

/// Any other product of matrices in each row. Not on a tape: BLAS may lock and allocate.
class MatrixProduct final : public StreamOp {
 public:
  explicit MatrixProduct(StreamBuilder& to) : a_(to.operand(0)), b_(to.operand(1)) {
    const bool transpose_a = to.op().flag("transpose_a"), transpose_b = to.op().flag("transpose_b");
    const Shape a = to.is_known(0) ? to.numbers(0).shape() : to.shape(0),
                b = to.is_known(1) ? to.numbers(1).shape() : to.shape(1), y = to.result_shape();
    rows_ = a[transpose_a ? -1 : -2];
    inner_ = a[transpose_a ? -2 : -1];
    columns_ = b[transpose_b ? -2 : -1];
    a_row_ = transpose_a ? 1 : inner_;
    a_inner_ = transpose_a ? rows_ : 1;
    b_inner_ = transpose_b ? 1 : columns_;
    b_column_ = transpose_b ? inner_ : 1;
    // The axes of the batches broadcast.
    const Index batches = y.size() / (rows_ * columns_);
    const auto offset = [&](const Shape& x, Index batch) {
      Index at = 0, step = x[-1] * x[-2];
      for (Index axis = 3; axis <= y.rank(); ++axis) {
        const Index position = batch % y[-axis];
        batch /= y[-axis];
        if (axis > x.rank()) break;
        if (x[-axis] > 1) at += position * step;
        step *= x[-axis];
      }
      return at;
    };
    for (Index batch = 0; batch < batches; ++batch) offsets_.emplace_back(offset(a, batch), offset(b, batch));
    y_ = to.result(a_.is_constant() ? b_.rate : a_.rate);
  }
  void run(const StreamFrame& frame) const override {
    Real* y = y_.out(frame);
    for (Index row = 0; row < frame.rows[y_.rate]; ++row) {
      for (const auto& [a_offset, b_offset] : offsets_) {
        const Real* a = a_.in(frame) + (a_.is_constant() ? 0 : row * a_.width) + a_offset;
        const Real* const b = b_.in(frame) + (b_.is_constant() ? 0 : row * b_.width) + b_offset;
        for (Index i = 0; i < rows_; ++i, a += a_row_, y += columns_) {
          std::fill_n(y, columns_, Real{0});
          for (Index k = 0; k < inner_; ++k) {
            for (Index j = 0; j < columns_; ++j) y[j] += a[k * a_inner_] * b[k * b_inner_ + j * b_column_];
          }
        }
      }
    }
  }

 private:
  StreamValue a_, b_, y_;
  Index rows_ = 0, inner_ = 0, columns_ = 0, a_row_ = 0, a_inner_ = 0, b_inner_ = 0, b_column_ = 0;
  std::vector<std::pair<Index, Index>> offsets_;  // of the matrices of each batch
};

Tensor transposed_matrix(ConstView x) {
  const Index rows = x.shape()[0], columns = x.shape()[1];
  Tensor result(Shape{columns, rows});
  for (Index i = 0; i < x.size(); ++i) result[i % columns * rows + i / columns] = x[i];
  return result;
}

/// x w + bias, if w is known and a matrix.
void add_dense(StreamBuilder& to) {
  require<ValueError>(!to.is_known(0) || !to.is_known(1), "the op {} reads no input", to.op().name);
  const bool is_affine = to.op().name == "affine", transposed = !is_affine && to.op().flag("transpose_b");
  const bool is_plain = is_affine || !to.op().flag("transpose_a");
  if (!is_plain || !to.is_known(1) || to.shape(1).rank() != 2) {
    return to.add(std::make_unique<MatrixProduct>(to));
  }
  const StreamValue x = to.operand(0);
  ConstView bias;
  if (is_affine) bias = to.numbers(2);
  PackedProduct product(transposed ? transposed_matrix(to.numbers(1)) : Tensor(to.numbers(1)), bias, false);
  to.add(std::make_unique<Dense>(std::move(product), x, to.result(x.rate)));
}

constexpr std::array<std::pair<std::string_view, StreamRow>, 2> product_rows{
    {{"affine", add_dense}, {"matmul", add_dense}}};

}  // namespace

StreamRows stream_product_rows() { return product_rows; }

PackedProduct::PackedProduct(ConstView matrix, ConstView bias, bool relu)
    : depth_(matrix.shape()[0]), columns_(matrix.shape()[1]), relu_(relu) {
  const Index most = tile_most_columns();
  for (Index first = 0; first < columns_; first += most) {
    const Index width = std::min(most, columns_ - first), step = tile_columns(width);
    Tensor numbers(Shape{depth_ + 1, step});  // the last row is the bias
    for (Index k = 0; k < depth_; ++k) {
      std::copy_n(matrix.data() + k * columns_ + first, width, numbers.data() + k * step);
    }
    if (bias.data() != nullptr) std::copy_n(bias.data() + first, width, numbers.data() + depth_ * step);
    panels_.push_back({std::move(numbers), first, width, step});
  }
  // What the last columns spill over the next row is overwritten by its first columns.
  std::reverse(panels_.begin(), panels_.end());
}

void PackedProduct::run(TileProduct product, Index rows, Real* out, Index out_row, bool spills) const {
  if (rows == 0) return;
  product.rows = rows;
  product.out_row = out_row;
  product.relu = relu_;
  product.spill_end = spills ? out + rows * out_row + stream_slack : nullptr;
  for (const Panel& panel : panels_) {
    const Real *const numbers = panel.numbers.data(), *const bias = numbers + depth_ * panel.step;
    product.right = numbers;
    product.right_step = panel.step;
    product.bias = bias;
    product.columns = panel.width;
    product.out = out + panel.first;
    multiply(product);
  }
}

void PackedProduct::run_row(const Real* x, Real* out) const {
  for (const Panel& panel : panels_) {
    const Real* const numbers = panel.numbers.data();
    row_product({.a = x,
                 .a_count = depth_,
                 .a_matrix = numbers,
                 .bias = numbers + depth_ * panel.step,
                 .columns = panel.width,
                 .step = panel.step},
                out + panel.first);
  }
}

}  // namespace cornu::detail
