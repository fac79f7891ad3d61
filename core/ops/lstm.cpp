#include "cornu/core/kernels/blas.h"
#include "cornu/core/kernels/kernels.h"
#include "cornu/core/kernels/vector_math.h"
#include "cornu/core/ops/recurrence.h"

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunknown-pragmas"

namespace cornu {

namespace {

/// Values of the forward pass that the backward pass needs.
struct LstmTrace {
  View gates;         // (rows, 4 units): i, f, g, o
  View h, c, tanh_c;  // (rows, units): h and c before the step, tanh(c) after it
};

/// A masked step of a sample.
void keep_state(const LstmTrace& trace, Index row, Index units, const Real* h, const Real* c) {
  std::copy_n(h, units, trace.h.data() + row * units);
  std::copy_n(c, units, trace.c.data() + row * units);
}

/// One step forward: applies the activations to `gates` in place and updates h and c.
void advance_lstm(const Recurrence& r, Index turn, const LstmTrace& trace, const View& products, const View& h_now,
                  const View& c_now) {
  vectorized([=, u = r.units, batch = r.batch, steps = r.steps, step = r.step(turn), counts = r.counts()] {
    for (Index sample = 0; sample < batch; ++sample) {
      const Index row = sample * steps + step;
      if (counts != nullptr && counts[row] == 0) {
        keep_state(trace, row, u, h_now.data() + sample * u, c_now.data() + sample * u);
        continue;
      }
      Real *const gates = trace.gates.data() + row * 4 * u, *const old_h = trace.h.data() + row * u,
                  *const old_c = trace.c.data() + row * u, *const tanh_c = trace.tanh_c.data() + row * u;
      Real *const h = h_now.data() + sample * u, *const c = c_now.data() + sample * u;
      const Real* const p = products.data() + sample * 4 * u;
#pragma GCC ivdep
      for (Index j = 0; j < u; ++j) {
        const Real i = math::sigmoid(gates[j] + p[j]), f = math::sigmoid(gates[u + j] + p[u + j]),
                   g = math::tanh(gates[2 * u + j] + p[2 * u + j]), o = math::sigmoid(gates[3 * u + j] + p[3 * u + j]);
        gates[j] = i;
        gates[u + j] = f;
        gates[2 * u + j] = g;
        gates[3 * u + j] = o;
        old_h[j] = h[j];
        old_c[j] = c[j];
        const Real next = f * c[j] + i * g, bounded = math::tanh(next);
        c[j] = next;
        tanh_c[j] = bounded;
        h[j] = o * bounded;
      }
    }
  });
}

/// One step backward: computes dgates from dh and dc, and sets dc to the gradient for the previous step.
void go_back_lstm(const Recurrence& r, Index turn, const LstmTrace& trace, const View& dh_now, const View& dc_now,
                  const View& dgates_of_all) {
  vectorized([=, u = r.units, batch = r.batch, steps = r.steps, step = r.step(turn), counts = r.counts()] {
    for (Index sample = 0; sample < batch; ++sample) {
      const Index row = sample * steps + step;
      if (counts != nullptr && counts[row] == 0) {
        std::fill_n(dgates_of_all.data() + row * 4 * u, 4 * u, Real{0});
        continue;
      }
      const Real *const gates = trace.gates.data() + row * 4 * u, *const old_c = trace.c.data() + row * u,
                        *const tanh_c = trace.tanh_c.data() + row * u, *const dh = dh_now.data() + sample * u;
      Real *const dgates = dgates_of_all.data() + row * 4 * u, *const dc = dc_now.data() + sample * u;
#pragma GCC ivdep
      for (Index j = 0; j < u; ++j) {
        const Real i = gates[j], f = gates[u + j], g = gates[2 * u + j], o = gates[3 * u + j], t = tanh_c[j];
        const Real d = dc[j] + dh[j] * o * (1 - t * t);
        dgates[j] = d * g * i * (1 - i);
        dgates[u + j] = d * old_c[j] * f * (1 - f);
        dgates[2 * u + j] = d * i * (1 - g * g);
        dgates[3 * u + j] = dh[j] * t * o * (1 - o);
        dc[j] = d * f;
      }
    }
  });
}

Var lstm_of(const Recurrence& r, const RecurrentOperands& operands) {
  Tape& tape = operands.x.tape();
  const Var y = r.output({"lstm", "lstm_with_state"}, operands), bias = operands.bias,
            recurrent_kernel = operands.recurrent_kernel;
  const RecurrentState initial = operands.initial;
  const Shape of_rows{r.rows(), r.units};
  const LstmTrace trace{r.input_products(operands, bias ? bias.value().data() : nullptr), tape.scratch(of_rows),
                        tape.scratch(of_rows), tape.scratch(of_rows)};
  const View h = r.state(y, initial.h), c = tape.scratch(h.shape()), products = tape.scratch({r.batch, r.width});
  begin_state(c, initial.c);
  fill(products, 0);
  for (Index turn = 0; turn < r.steps; ++turn) {
    if (turn > 0 || initial.h) gemm(h, recurrent_kernel.value(), overwrite(products));
    advance_lstm(r, turn, trace, products, h, c);
    r.put_state(h, turn, y);
  }
  r.put_cell(c, y);
  return y.backward([=] {
    const View dgates = y.tape().scratch(trace.gates.shape()), dh = y.tape().scratch(h.shape()),
               dc = y.tape().scratch(h.shape());
    fill(dh, 0);
    fill(dc, 0);
    r.add_cell_gradient(y, dc);
    for (Index turn = r.steps - 1; turn >= 0; --turn) {
      r.add_state_gradient(y, turn, dh);
      go_back_lstm(r, turn, trace, dh, dc, dgates);
      if (turn == 0 && !initial.h) break;
      gemm(r.part(dgates, turn), transposed(recurrent_kernel.value()), r.gradient_before(dh, turn));
    }
    r.backward(operands, dgates);
    recurrent_kernel.add_product(transposed(trace.h), dgates);
    if (bias) {
      if (Sink db = bias.sink()) sum_rows(dgates, db);
    }
    if (!initial.h) return;
    if (Sink dinitial = initial.h.sink()) copy(dh, dinitial);
    if (Sink dinitial = initial.c.sink()) copy(dc, dinitial);
  });
}

Var lstm_without_state(const RecurrentOperands& operands, const RecurrentOptions& options) {
  return lstm_of(Recurrence("lstm", 4, 1, operands, options), operands);
}

RecurrentOutput lstm_with_state(const RecurrentOperands& operands, const RecurrentOptions& options) {
  const Recurrence r("lstm", 4, 1, operands, options, States::h_and_c);
  RecurrentOperands complete = operands;
  RecurrentState& initial = complete.initial;
  if (initial.h || initial.c) {
    const View zeros = operands.x.tape().scratch({r.batch, r.units});
    fill(zeros, 0);
    for (Var* const state : {&initial.h, &initial.c}) {
      if (!*state) *state = operands.x.tape().input(zeros);
    }
  }
  return r.parts(lstm_of(r, complete));
}

}  // namespace

Var lstm(Var x, Operand kernel, Operand recurrent_kernel, Operand bias, const RecurrentOptions& options) {
  Tape& tape = x.tape();
  return lstm_without_state({x, kernel.on(tape), recurrent_kernel.on(tape), bias.on(tape)}, options);
}

Var lstm(Var x, Operand kernel, Operand recurrent_kernel, const RecurrentOptions& options) {
  return lstm_without_state({x, kernel.on(x.tape()), recurrent_kernel.on(x.tape()), Var()}, options);
}

RecurrentOutput lstm(Var x, const RecurrentState& initial, Operand kernel, Operand recurrent_kernel, Operand bias,
                     const RecurrentOptions& options) {
  Tape& tape = x.tape();
  return lstm_with_state({x, kernel.on(tape), recurrent_kernel.on(tape), bias.on(tape), initial}, options);
}

RecurrentOutput lstm(Var x, const RecurrentState& initial, Operand kernel, Operand recurrent_kernel,
                     const RecurrentOptions& options) {
  return lstm_with_state({x, kernel.on(x.tape()), recurrent_kernel.on(x.tape()), Var(), initial}, options);
}

}  // namespace cornu

#pragma GCC diagnostic pop
