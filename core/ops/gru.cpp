#include "cornu/core/kernels/blas.h"
#include "cornu/core/kernels/kernels.h"
#include "cornu/core/kernels/vector_math.h"
#include "cornu/core/ops/recurrence.h"

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunknown-pragmas"

namespace cornu {

namespace {

/// Values of the forward pass that the backward pass needs.
struct GruTrace {
  View gates;     // (rows, 3 units): s, sigmoid(r + r'), the candidate tanh(...)
  View h, inner;  // (rows, units): h before the step, a'
};

/// One step forward: applies the activations to `gates` in place and updates h.
void advance(const Recurrence& r, Index turn, const GruTrace& trace, const View& products, const View& h_now) {
  vectorized([=, u = r.units, batch = r.batch, steps = r.steps, step = r.step(turn), counts = r.counts()] {
    for (Index sample = 0; sample < batch; ++sample) {
      const Index row = sample * steps + step;
      if (counts != nullptr && counts[row] == 0) {
        std::copy_n(h_now.data() + sample * u, u, trace.h.data() + row * u);
        continue;
      }
      Real *const gates = trace.gates.data() + row * 3 * u, *const old_h = trace.h.data() + row * u,
                  *const inner = trace.inner.data() + row * u, *const h = h_now.data() + sample * u;
      const Real* const p = products.data() + sample * 3 * u;
#pragma GCC ivdep
      for (Index j = 0; j < u; ++j) {
        const Real keep = math::sigmoid(gates[j] + p[j]), reset = math::sigmoid(gates[u + j] + p[u + j]),
                   a = p[2 * u + j], candidate = math::tanh(gates[2 * u + j] + reset * a);
        gates[j] = keep;
        gates[u + j] = reset;
        gates[2 * u + j] = candidate;
        old_h[j] = h[j];
        inner[j] = a;
        h[j] = keep * h[j] + (1 - keep) * candidate;
      }
    }
  });
}

/// One step backward: computes the gradients of both products from dh, and sets dh to the part that goes directly to
/// the previous step.
void go_back(const Recurrence& r, Index turn, const GruTrace& trace, const View& dh_now, const View& dinputs_of_all,
             const View& dproducts_of_all) {
  vectorized([=, u = r.units, batch = r.batch, steps = r.steps, step = r.step(turn), counts = r.counts()] {
    for (Index sample = 0; sample < batch; ++sample) {
      const Index row = sample * steps + step;
      if (counts != nullptr && counts[row] == 0) {
        std::fill_n(dinputs_of_all.data() + row * 3 * u, 3 * u, Real{0});
        std::fill_n(dproducts_of_all.data() + row * 3 * u, 3 * u, Real{0});
        continue;
      }
      const Real *const gates = trace.gates.data() + row * 3 * u, *const old_h = trace.h.data() + row * u,
                        *const inner = trace.inner.data() + row * u;
      Real *const dinputs = dinputs_of_all.data() + row * 3 * u, *const dh = dh_now.data() + sample * u,
                  *const dproducts = dproducts_of_all.data() + row * 3 * u;
#pragma GCC ivdep
      for (Index j = 0; j < u; ++j) {
        const Real keep = gates[j], reset = gates[u + j], candidate = gates[2 * u + j];
        const Real da = dh[j] * (1 - keep) * (1 - candidate * candidate);
        const Real dkeep = dh[j] * (old_h[j] - candidate) * keep * (1 - keep),
                   dreset = da * inner[j] * reset * (1 - reset);
        dinputs[j] = dproducts[j] = dkeep;
        dinputs[u + j] = dproducts[u + j] = dreset;
        dinputs[2 * u + j] = da;
        dproducts[2 * u + j] = da * reset;
        dh[j] = dh[j] * keep;
      }
    }
  });
}

Var gru_of(const Recurrence& r, const RecurrentOperands& operands) {
  Tape& tape = operands.x.tape();
  const Var y = r.output({"gru", "gru_with_state"}, operands), bias = operands.bias,
            recurrent_kernel = operands.recurrent_kernel, initial = operands.initial.h;
  const Shape of_rows{r.rows(), r.units};
  const GruTrace trace{r.input_products(operands, bias ? bias.value().data() : nullptr), tape.scratch(of_rows),
                       tape.scratch(of_rows)};
  const View h = r.state(y, initial), products = tape.scratch({r.batch, r.width});
  for (Index turn = 0; turn < r.steps; ++turn) {
    if (bias) {
      fill_rows(products, ConstView(bias.value().data() + r.width, {r.width}));
    } else {
      fill(products, 0);
    }
    if (turn > 0 || initial) gemm(h, recurrent_kernel.value(), accumulate_into(products));
    advance(r, turn, trace, products, h);
    r.put_state(h, turn, y);
  }
  return y.backward([=] {
    const View dinputs = y.tape().scratch(trace.gates.shape()), dproducts = y.tape().scratch(trace.gates.shape()),
               dh = y.tape().scratch(h.shape());
    fill(dh, 0);
    for (Index turn = r.steps - 1; turn >= 0; --turn) {
      r.add_state_gradient(y, turn, dh);
      go_back(r, turn, trace, dh, dinputs, dproducts);
      if (turn > 0 || initial) gemm(r.part(dproducts, turn), transposed(recurrent_kernel.value()), accumulate_into(dh));
    }
    r.backward(operands, dinputs);
    recurrent_kernel.add_product(transposed(trace.h), dproducts);
    if (initial) {
      if (Sink dinitial = initial.sink()) copy(dh, dinitial);
    }
    if (!bias) return;
    if (Sink db = bias.sink()) {
      sum_rows(dinputs, {View(db.data(), {r.width}), db.accumulates()});
      sum_rows(dproducts, {View(db.data() + r.width, {r.width}), db.accumulates()});
    }
  });
}

Var gru_without_state(const RecurrentOperands& operands, const RecurrentOptions& options) {
  return gru_of(Recurrence("gru", 3, 2, operands, options), operands);
}

RecurrentOutput gru_with_state(const RecurrentOperands& operands, const RecurrentOptions& options) {
  const Recurrence r("gru", 3, 2, operands, options, States::h);
  return r.parts(gru_of(r, operands));
}

}  // namespace

Var gru(Var x, Operand kernel, Operand recurrent_kernel, Operand bias, const RecurrentOptions& options) {
  Tape& tape = x.tape();
  return gru_without_state({x, kernel.on(tape), recurrent_kernel.on(tape), bias.on(tape)}, options);
}

Var gru(Var x, Operand kernel, Operand recurrent_kernel, const RecurrentOptions& options) {
  return gru_without_state({x, kernel.on(x.tape()), recurrent_kernel.on(x.tape()), Var()}, options);
}

RecurrentOutput gru(Var x, const RecurrentState& initial, Operand kernel, Operand recurrent_kernel, Operand bias,
                    const RecurrentOptions& options) {
  Tape& tape = x.tape();
  return gru_with_state({x, kernel.on(tape), recurrent_kernel.on(tape), bias.on(tape), initial}, options);
}

RecurrentOutput gru(Var x, const RecurrentState& initial, Operand kernel, Operand recurrent_kernel,
                    const RecurrentOptions& options) {
  return gru_with_state({x, kernel.on(x.tape()), recurrent_kernel.on(x.tape()), Var(), initial}, options);
}

}  // namespace cornu

#pragma GCC diagnostic pop
