#include "cornu/core/ops/recurrence.h"

#include <array>

#include "cornu/core/error.h"
#include "cornu/core/kernels/blas.h"
#include "cornu/core/kernels/kernels.h"
#include "cornu/core/ops/ops.h"

namespace cornu {

Recurrence::Recurrence(const char* who, Index gates, Index biases, const RecurrentOperands& operands,
                       const RecurrentOptions& how, States given)
    : options(how), states(given), mask(operands.x.mask()) {
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
  result_rows = (options.return_sequences ? steps : 1) + (has_cell() ? 1 : 0);
  require<ValueError>(has_cell() || !operands.initial.c, "{}: the initial state has a c, which only an LSTM has", who);
  for (const Var state : {operands.initial.h, operands.initial.c}) {
    require(!state || state.shape() == Shape{batch, units}, "{}: an initial state of shape {}; {} is required", who,
            state ? state.shape() : Shape(), Shape{batch, units});
  }
}

Var Recurrence::output(std::array<const char*, 2> op, const RecurrentOperands& from) const {
  const bool only_last = !options.return_sequences && !has_cell();
  const Shape shape = only_last ? Shape{batch, units} : Shape{batch, result_rows, units};
  std::array<Var, 7> operands{from.x, from.kernel, from.recurrent_kernel};
  std::size_t count = 3;
  for (const Var each : {from.bias, from.initial.h, from.initial.c}) {
    if (each) operands[count++] = each;
  }
  Tape& tape = from.x.tape();
  if (mask) {  // layers write it as smaller ops in a trace; no exporter knows this op
    operands[count++] = mask;
    const Var y = tape.output(shape, {operands.data(), count}, "recurrence_of_masked_steps");
    if (options.return_sequences && !has_cell()) y.set_mask(mask_of_result());
    return y;
  }
  const std::span<const Var> given(operands.data(), count);
  if (states == States::none) {
    return tape.output(
        shape, given,
        {op[0], {{"return_sequences", options.return_sequences}, {"go_backwards", options.go_backwards}}});
  }
  return tape.output(shape, given,
                     {op[1],
                      {{"return_sequences", options.return_sequences},
                       {"go_backwards", options.go_backwards},
                       {"initial_state", static_cast<bool>(from.initial.h)}}});
}

Var Recurrence::mask_of_result() const { return mask && options.go_backwards ? flip(mask, 1) : mask; }

RecurrentOutput Recurrence::parts(Var result) const {
  const auto row = [&](Index i) { return reshape(slice_axis(result, 1, i, i + 1), {batch, units}); };
  if (!has_cell()) return {result, {options.return_sequences ? row(steps - 1) : result}};
  const Var h = row(result_rows - 2), c = row(result_rows - 1);
  if (!options.return_sequences) return {h, {h, c}};
  const Var y = slice_axis(result, 1, 0, steps);
  if (mask) y.set_mask(mask_of_result());
  return {y, {h, c}};
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

void begin_state(const View& state, Var initial) {
  if (initial) {
    copy(initial.value(), overwrite(state));
  } else {
    fill(state, 0);
  }
}

View Recurrence::state(Var y, Var initial) const {
  const View state = result_rows > 1 || options.return_sequences ? y.tape().scratch({batch, units}) : y.out();
  begin_state(state, initial);
  return state;
}

void Recurrence::put_row(const View& state, Index row, Var y) const {
  Real* const to = y.out().data() + row * units;
  for (Index i = 0; i < batch; ++i) std::copy_n(state.data() + i * units, units, to + i * result_rows * units);
}

void Recurrence::put_state(const View& state, Index turn, Var y) const {
  if (options.return_sequences) {
    put_row(state, turn, y);
  } else if (turn == steps - 1 && state.data() != y.out().data()) {
    put_row(state, 0, y);
  }
}

void Recurrence::put_cell(const View& cell, Var y) const {
  if (has_cell()) put_row(cell, result_rows - 1, y);
}

void Recurrence::add_row_gradient(Var y, Index row, const View& dstate) const {
  const Real* const from = y.grad().data() + row * units;
  for (Index i = 0; i < batch; ++i) {
    const Real* const added = from + i * result_rows * units;
    assign(dstate.data() + i * units, units, true, [added](Index j) { return added[j]; });
  }
}

void Recurrence::add_state_gradient(Var y, Index turn, const View& dstate) const {
  if (options.return_sequences || turn == steps - 1) add_row_gradient(y, options.return_sequences ? turn : 0, dstate);
}

Sink Recurrence::gradient_before(const View& dstate, Index turn) const {
  if (!mask) return overwrite(dstate);
  for (Index sample = 0; sample < batch; ++sample) {
    if (counts()[sample * steps + step(turn)] != 0) std::fill_n(dstate.data() + sample * units, units, Real{0});
  }
  return accumulate_into(dstate);
}

void Recurrence::add_cell_gradient(Var y, const View& dcell) const {
  if (has_cell()) add_row_gradient(y, result_rows - 1, dcell);
}

}  // namespace cornu
