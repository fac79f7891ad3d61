#include "cornu/core/error.h"
#include "cornu/core/kernels/blas.h"
#include "cornu/core/kernels/kernels.h"
#include "cornu/core/ops/ops.h"

namespace cornu {

namespace {

/// The matrices of an operand or result, stored one after the other.
struct MatrixBatch {
  Index rows, columns;
  bool transposed;

  MatrixBatch(const Shape& shape, bool swap) : rows(shape[-2]), columns(shape[-1]), transposed(swap) {}
  MatrixView view(const Real* data, Index i) const { return {data + i * size(), rows, columns, transposed}; }
  Sink part(const Sink& whole, Index i) const {
    return {View(whole.data() + i * size(), {rows, columns}), whole.accumulates()};
  }
  Index size() const { return rows * columns; }
};

/// A sink to accumulate several products in; zeroes it first unless it accumulates already.
Sink accumulating(const Sink& sink) {
  if (!sink.accumulates()) fill(sink.view(), 0);
  return accumulate_into(sink.view());
}

/// Batched matrix product with broadcasting; both operands have rank 2 or more.
Var matmul_batched(Var a, Var b, const MatmulOptions& options) {
  const MatrixBatch each_a(a.shape(), options.transpose_a), each_b(b.shape(), options.transpose_b);
  const Shape lead_a = a.shape().sub(0, a.rank() - 2), lead_b = b.shape().sub(0, b.rank() - 2);
  const Shape lead = broadcast(lead_a, lead_b, "matmul");
  const Index m = each_a.view(nullptr, 0).outer(), n = each_b.view(nullptr, 0).inner();
  detail::require_blas_sizes("matmul", m, each_a.view(nullptr, 0).inner(), n);
  const Shape shape = lead.inserted(lead.rank(), m).inserted(lead.rank() + 1, n);
  const MatrixBatch each_y(shape, false);
  const Broadcast batch(lead_a, lead_b, lead);

  Var y = a.tape().output(shape, {a, b},
                          {"matmul", {{"transpose_a", options.transpose_a}, {"transpose_b", options.transpose_b}}});
  batch.each([&](Index i, Index ia, Index ib) {
    gemm(each_a.view(a.value().data(), ia), each_b.view(b.value().data(), ib), each_y.part(overwrite(y.out()), i));
  });
  return y.backward([=] {
    const Real *const av = a.value().data(), *const bv = b.value().data(), *const gv = y.grad().data();
    if (Sink da = a.sink()) {
      const Sink whole = lead == lead_a ? da : accumulating(da);
      batch.each([&](Index i, Index ia, Index ib) {
        const MatrixView g = each_y.view(gv, i), other = transposed(each_b.view(bv, ib));
        each_a.transposed ? gemm(transposed(other), transposed(g), each_a.part(whole, ia))
                          : gemm(g, other, each_a.part(whole, ia));
      });
    }
    if (lead.rank() == 0 && !each_b.transposed) {
      b.add_product(transposed(each_a.view(av, 0)), each_y.view(gv, 0));
    } else if (Sink db = b.sink()) {
      const Sink whole = lead == lead_b ? db : accumulating(db);
      batch.each([&](Index i, Index ia, Index ib) {
        const MatrixView g = each_y.view(gv, i), other = transposed(each_a.view(av, ia));
        each_b.transposed ? gemm(transposed(g), transposed(other), each_b.part(whole, ib))
                          : gemm(other, g, each_b.part(whole, ib));
      });
    }
  });
}

/// x w, plus the row b if there is one, as one product over all rows of x. x: (..., in), w: (in, out), or (out, in) if
/// transposed, b: (out). Does not reshape x, because the tape would lose track of which sample a row belongs to.
Var rows_product(Var x, Var w, bool transpose_w, Var b) {
  const MatrixView factors(w.value().data(), w.shape()[0], w.shape()[1], transpose_w);
  const Index rows = x.shape().without(-1).size(), in = x.shape()[-1], out = factors.inner();
  detail::require_blas_sizes(b ? "affine" : "matmul", rows, in, out);
  const Shape shape = x.shape().with(-1, out);
  Var y = b ? x.tape().output(shape, {x, w, b}, "affine")
            : x.tape().output(shape, {x, w}, {"matmul", {{"transpose_a", false}, {"transpose_b", transpose_w}}});
  if (x.rank() > 2) y.masked_as(x);
  if (b) fill_rows(y.out(), b.value());
  gemm({x.value().data(), rows, in}, factors, Sink(y.out(), static_cast<bool>(b)));
  return y.backward([=] {
    const MatrixView values(x.value().data(), rows, in), dy(y.grad().data(), rows, out);
    if (Sink dx = x.sink()) gemm(dy, transposed(factors), dx);
    transpose_w ? w.add_product(transposed(dy), values) : w.add_product(transposed(values), dy);
    if (!b) return;
    if (Sink db = b.sink()) sum_rows(y.grad(), db);
  });
}

}  // namespace

Var matmul(Var a, Operand b_operand, const MatmulOptions& options) {
  const Var b = b_operand.on(a.tape());
  const Shape &sa = a.shape(), &sb = b.shape();
  require(sa.rank() > 0 && sb.rank() > 0, "matmul: shapes {} and {}; a scalar is not a matrix (use * to multiply)", sa,
          sb);
  require((sa.rank() > 1 || !options.transpose_a) && (sb.rank() > 1 || !options.transpose_b),
          "matmul: shapes {} and {}; a 1-D operand cannot be transposed", sa, sb);
  const Index ka = sa[options.transpose_a ? -2 : -1], kb = sb.rank() == 1 ? sb[0] : sb[options.transpose_b ? -1 : -2];
  require(ka == kb, "matmul: a is {}{} and b is {}{}; {} columns of a do not match {} rows of b", sa,
          options.transpose_a ? " transposed" : "", sb, options.transpose_b ? " transposed" : "", ka, kb);
  // An operand keeps its samples apart only if its first axis is a batch of matrices or the rows of the result.
  if (sa.rank() == 1 || sa.rank() < sb.rank() || (sa.rank() == 2 && options.transpose_a)) a.mix_samples();
  if (sb.rank() <= 2 || sb.rank() < sa.rank()) b.mix_samples();

  if (sa.rank() == 1) {
    const Var y = matmul(reshape(a, {1, sa[0]}), b, options);
    return reshape(y, sb.rank() == 1 ? Shape{} : y.shape().without(-2));
  }
  if (sb.rank() == 1) {
    const Var y = matmul(a, reshape(b, {sb[0], 1}), options);
    return reshape(y, y.shape().without(-1));
  }
  if (sa.rank() > 2 && sb.rank() == 2 && !options.transpose_a) {  // one large product instead of many small ones
    return rows_product(a, b, options.transpose_b, Var());
  }
  return matmul_batched(a, b, options);
}

Var matmul(const Parameter& a, Var b, const MatmulOptions& options) {
  return matmul(b.tape().parameter(a), b, options);
}

Var affine(Var x, Operand w_operand, Operand b_operand) {
  const Var w = w_operand.on(x.tape()), b = b_operand.on(x.tape());
  require(
      x.rank() >= 1 && w.rank() == 2 && b.rank() == 1 && x.shape()[-1] == w.shape()[0] && w.shape()[1] == b.shape()[0],
      "affine: x is {}, w is {} and b is {}; x (..., in), w (in, out) and b (out) are required", x.shape(), w.shape(),
      b.shape());
  if (x.rank() == 1) x.mix_samples();
  return rows_product(x, w, false, b);
}

}  // namespace cornu
