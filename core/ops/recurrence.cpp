#include "cornu/core/ops/recurrence.h"

#include <array>

#include "cornu/core/error.h"
#include "cornu/core/kernels/blas.h"
#include "cornu/core/kernels/kernels.h"

namespace cornu {

Var RecurrentOperands::output(const char* op, const Shape& shape, const RecurrentOptions& how) const {
  const std::array<Var, 4> operands{x, kernel, recurrent_kernel, bias};
  return x.tape().output(shape, std::span(operands).first(bias ? 4 : 3),
                         {op, {{"return_sequences", how.return_sequences}, {"go_backwards", how.go_backwards}}});
}

Recurrence::Recurrence(const char* who, Index gates, Index biases, const RecurrentOperands& operands,
                       const RecurrentOptions& how)
    : options(how) {
  const Shape &sx = operands.x.shape(), &sk = operands.kernel.shape(), &sr = operands.recurrent_kernel.shape();
  const Shape bias_shape = operands.bias ? operands.bias.shape() : Shape();
  bool fits = sx.rank() == 3 && sk.rank() == 2 && sr.rank() == 2;
  if (fits) {
    batch = sx[0];
    steps = sx[1];
    features = sx[2];
    units = sr[0];
    width = gates * units;
    fits = sk == Shape{features, width} && sr[1] == width &&
           (!operands.bias || bias_shape == (biases == 1 ? Shape{width} : Shape{biases, width}));
  }
  if (!fits) {
    throw ShapeError(
        message("{}: x is {}, the kernel {}, the recurrent kernel {}{}{}; x (batch, steps, in), kernel (in, {} units), "
                "recurrent kernel (units, {} units) and bias ({}{} units) are required",
                who, sx, sk, sr, operands.bias ? ", the bias " : "", operands.bias ? to_string(bias_shape) : "", gates,
                gates, biases == 1 ? "" : message("{}, ", biases), gates));
  }
  require(steps > 0, "{}: x is {}; at least one step is required", who, sx);
}

MatrixView Recurrence::part(const View& array, Index turn) const {
  const Index columns = array.shape()[-1];
  MatrixView result(array.data() + step(turn) * columns, batch, columns);
  result.stride = steps * columns;
  return result;
}

View Recurrence::input_products(const RecurrentOperands& operands, const Real* bias) const {
  const View products = operands.x.tape().scratch({rows(), width});
  if (bias != nullptr) fill_rows(products, ConstView(bias, {width}));
  gemm({operands.x.value().data(), rows(), features}, operands.kernel.value(), Sink(products, bias != nullptr));
  return products;
}

void Recurrence::backward(const RecurrentOperands& operands, const View& dproducts) const {
  if (Sink dx = operands.x.sink()) gemm(dproducts, transposed(operands.kernel.value()), dx);
  operands.kernel.add_product(transposed({operands.x.value().data(), rows(), features}), dproducts);
}

View Recurrence::state(Var y) const {
  const View state = options.return_sequences ? y.tape().scratch({batch, units}) : y.out();
  fill(state, 0);
  return state;
}

void Recurrence::put_state(const View& state, Index turn, Var y) const {
  if (!options.return_sequences) return;  // the state is the result
  Real* const to = y.out().data() + turn * units;
  for (Index i = 0; i < batch; ++i) std::copy_n(state.data() + i * units, units, to + i * steps * units);
}

void Recurrence::add_state_gradient(Var y, Index turn, const View& dstate) const {
  if (!options.return_sequences && turn != steps - 1) return;
  const Index stride = options.return_sequences ? steps * units : units;
  const Real* const from = y.grad().data() + (options.return_sequences ? turn * units : 0);
  for (Index i = 0; i < batch; ++i) {
    assign(dstate.data() + i * units, units, true, [row = from + i * stride](Index j) { return row[j]; });
  }
}

}  // namespace cornu
