#pragma once

#include <span>

#include "cornu/core/kernels/sequence_steps.h"

/// Steps of recurrent layers. With tanh and sigmoid, the columns of their kernels and biases are packed for the vectors
/// of this processor.
namespace cornu::detail {

/// Packs the columns of a kernel, or of a bias, for LstmSteps and GruSteps. They are those of one gate after the other;
/// scales: one factor for each gate. In the result, the gates of as many units as a vector has lanes follow each
/// other, so that a loop over these units reads whole vectors; the last units may have narrower blocks.
Tensor packed_gates(ConstView numbers, std::span<const Real> scales);

/// What the recurrent layers have in common: x is (rows, inputs), y is (rows, units). Whole vectors are written to y,
/// up to 64 bytes beyond its last row. Biases may be null.
struct RecurrentSteps {
  Index inputs = 0, units = 0;

  Index width() const { return padded_columns(units); }
};

/// Long short-term memory. State: h and c, of width() each.
struct LstmSteps : RecurrentSteps {
  /// packed_gates of i, f, g, o with these scales. With other activations: rows of padded_columns(4 units), with the
  /// gates in the order i, f, o, g.
  const Real *kernel = nullptr, *recurrent_kernel = nullptr, *bias = nullptr;
  PointwiseLoop activation = nullptr, recurrent_activation = nullptr;  ///< null: tanh and sigmoid

  static constexpr Real scales[] = {Real(0.5), Real(0.5), 1, Real(0.5)};
  Index state_size() const { return 2 * width(); }
  Index scratch_size() const { return 4 * width(); }
  void run(const Real* x, Index rows, Real* state, Real* scratch, Real* y) const;

 private:
  void run_general(const Real* x, Index rows, Real* state, Real* scratch, Real* y) const;
};

/// Gated recurrent unit. State: h, of width().
struct GruSteps : RecurrentSteps {
  /// packed_gates of z, r and the candidate with these scales.
  const Real *kernel = nullptr, *recurrent_kernel = nullptr, *bias = nullptr, *recurrent_bias = nullptr;
  /// With other activations, or without reset_after: those above are of the candidate only, with padded rows, and these
  /// of z and r.
  const Real *gates_kernel = nullptr, *gates_recurrent = nullptr, *gates_bias = nullptr;
  bool reset_after = true;
  PointwiseLoop activation = nullptr, recurrent_activation = nullptr;  ///< null: tanh and sigmoid, reset_after

  static constexpr Real scales[] = {Real(0.5), Real(0.5), 1};
  Index state_size() const { return width(); }
  Index scratch_size() const { return 6 * width(); }
  void run(const Real* x, Index rows, Real* state, Real* scratch, Real* y) const;

 private:
  void run_general(const Real* x, Index rows, Real* state, Real* scratch, Real* y) const;
};

/// h = f(x kernel + h recurrent_kernel + bias). Kernels and bias have padded rows. State: h, of width().
struct SimpleRnnSteps : RecurrentSteps {
  const Real *kernel = nullptr, *recurrent_kernel = nullptr, *bias = nullptr;
  PointwiseLoop activation = nullptr;  ///< null: tanh

  Index state_size() const { return width(); }
  Index scratch_size() const { return width(); }
  void run(const Real* x, Index rows, Real* state, Real* scratch, Real* y) const;
};

}  // namespace cornu::detail
