#pragma once

#include <concepts>
#include <initializer_list>
#include <type_traits>
#include <utility>

#include "cornu/core/autodiff/tape.h"

namespace cornu {

/// Argument of an op: a Var, a Parameter or a number. Parameters and numbers are put on the other operand's tape, so
/// that a layer reads like its formula: `x * sigmoid(beta * x)`.
class Operand {
 public:
  /// Throws StateError for an empty Var or a Var of a cleared tape.
  Operand(Var var) : tape_(&var.tape()), var_(var) {}
  Operand(const Parameter& parameter) : parameter_(&parameter) {}
  Operand(Parameter&&) = delete;
  template <class T>
  requires std::is_arithmetic_v<T> Operand(T number) : number_(static_cast<Real>(number)) {}

  Var on(Tape& tape) const {
    return tape_ != nullptr ? var_ : parameter_ != nullptr ? tape.parameter(*parameter_) : tape.constant(number_);
  }
  /// The tape of a Var; null for a Parameter or a number.
  Tape* tape() const { return tape_; }

 private:
  Tape* tape_ = nullptr;
  Var var_;
  const Parameter* parameter_ = nullptr;
  Real number_ = 0;
};

namespace detail {
std::size_t begin_composite(const Recording& recording);
void end_composite(Tape& tape, std::size_t begin, Var result, const OpDescription& op,
                   std::initializer_list<Operand> operands);
}  // namespace detail

/// For layers: names what `formula` computes from `operands` as one op, so that an exporter which knows it can write it
/// as one. All others see the ops of the formula. Without a trace, it only calls the formula.
template <std::invocable F>
Var composite(Tape& tape, OpDescription&& op, std::initializer_list<Operand> operands, F formula) {
  detail::Recording* const recording = tape.recording();
  if (recording == nullptr) [[likely]]
    return formula();
  const std::size_t begin = detail::begin_composite(*recording);
  const Var result = formula();
  detail::end_composite(tape, begin, result, op, operands);
  return result;
}

}  // namespace cornu
