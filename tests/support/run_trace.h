#pragma once

#include <functional>
#include <vector>

#include "cornu/core/autodiff/trace.h"
#include "cornu/core/error.h"
#include "cornu/core/ops/op_calls.h"

namespace cornu::testing {

/// Runs a trace from the names and attributes of its ops.
inline std::vector<Var> run_trace(const Trace& trace, Tape& tape, std::span<const Var> inputs) {
  const Index batch = inputs.empty() ? 1 : inputs.front().shape()[0];
  std::vector<Var> values(trace.values.size());
  for (std::size_t i = 0; i < trace.inputs.size(); ++i) values[trace.inputs[i]] = inputs[i];
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (trace.values[i].is_known()) values[i] = tape.input(trace.values[i].data);
  }
  const std::function<void(const Trace::Op&)> run = [&](const Trace::Op& op) {
    for (const Trace::Op& part : op.body) run(part);
    if (!op.body.empty()) return;
    const OpCall* const call = detail::find_op_call(op.name);
    require<ValueError>(call != nullptr, "run_trace: no call of the op {}", op.name);
    std::vector<Var> operands;
    for (const std::size_t operand : op.operands) operands.push_back(values[operand]);
    const Shape shape = trace.result(op).at(batch);
    values[op.result] = (*call)(op, operands, shape);
    require(values[op.result].shape() == shape, "run_trace: {} gives {}, but the trace says {}", op.name,
            values[op.result].shape(), shape);
  };
  for (const Trace::Op& op : trace.ops) run(op);
  std::vector<Var> outputs;
  for (const std::size_t output : trace.outputs) outputs.push_back(values[output]);
  return outputs;
}

inline Tensor run_trace(const Trace& trace, const std::vector<Tensor>& inputs) {
  Tape tape(Mode::inference);
  std::vector<Var> values;
  for (const Tensor& input : inputs) values.push_back(tape.samples(input));
  return Tensor(run_trace(trace, tape, values).front().value());
}

}  // namespace cornu::testing
