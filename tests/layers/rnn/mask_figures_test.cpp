// Layers with masks against the figures in the tests of Keras 3 (keras/src/layers/rnn/*_test.py, test_masking, and the
// tests of Masking, GlobalAveragePooling1D and BatchNormalization). Those that the comments call computed follow from
// Keras's rules; a program in double precision that reproduces the others printed them.

#include <gtest/gtest.h>

#include <vector>

#include "cornu/core/ops/masks.h"
#include "cornu/layers/masking.h"
#include "cornu/layers/pooling/global_average_pooling1d.h"
#include "cornu/layers/rnn/bidirectional.h"
#include "cornu/layers/rnn/gru.h"
#include "cornu/layers/rnn/lstm.h"
#include "cornu/layers/rnn/simple_rnn.h"

namespace cornu {
namespace {

/// 0, 1, 2, ...
Tensor counted_to(const Shape& shape) {
  Tensor result(shape);
  for (Index i = 0; i < result.size(); ++i) result[i] = static_cast<Real>(i);
  return result;
}

/// kernel 0.01, recurrent_kernel 0.02, bias 0.03, and 1 for the forget gate of an LSTM.
template <class L>
L with_constants(L layer) {
  Rng rng(1);
  layer.build({4, 3}, rng);
  layer.kernel.value.fill(Real(0.01));
  layer.recurrent_kernel.value.fill(Real(0.02));
  for (Real& each : layer.bias.value) each = each == 1 ? Real{1} : Real(0.03);
  return layer;
}

/// The output for x = 0, 1, 2, ... of (2, 4, 3).
template <class L>
Tensor masked_output(const L& layer, const Tensor& mask) {
  const Tensor x = counted_to({2, 4, 3});
  Tape tape(Mode::inference);
  return Tensor(layer.forward(with_mask(tape.input(x), tape.input(mask))).value());
}

/// `figures`: of one of several equal units.
void expect_units(const Tensor& given, const std::vector<double>& figures) {
  const Index units = given.size() / std::ssize(figures);
  for (Index i = 0; i < given.size(); ++i)
    EXPECT_NEAR(given[i], figures[static_cast<std::size_t>(i / units)], 1e-6) << i;
}

const Tensor& mask_at_end() {
  static const Tensor mask = Tensor::matrix({{1, 1, 1, 0}, {1, 1, 0, 0}});
  return mask;
}
const Tensor& mask_at_begin() {
  static const Tensor mask = Tensor::matrix({{0, 1, 1, 1}, {0, 0, 1, 1}});
  return mask;
}
const Tensor& mask_with_gaps() {
  static const Tensor mask = Tensor::matrix({{1, 1, 0, 1}, {1, 0, 0, 1}});
  return mask;
}

TEST(MaskFigures, Lstm) {
  const LSTM last{.units = 2}, sequence{.units = 2, .return_sequences = true}, back{.units = 2, .go_backwards = true};
  expect_units(masked_output(with_constants(last), mask_at_end()), {0.11755939, 0.28556206});
  expect_units(masked_output(with_constants(sequence), mask_at_end()),
               {0.01588910, 0.05552048, 0.11755939, 0.11755939, 0.14185596, 0.28556206, 0.28556206, 0.28556206});
  expect_units(masked_output(with_constants(back), mask_at_begin()), {0.15341201, 0.3844719});
  // Computed.
  expect_units(masked_output(with_constants(sequence), mask_at_begin()),
               {0, 0.04291105, 0.10758108, 0.1913001, 0, 0, 0.21531969, 0.40143747});
  expect_units(masked_output(with_constants(sequence), Tensor::matrix({{0, 0, 0, 0}, {1, 1, 1, 1}})),
               {0, 0, 0, 0, 0.141856, 0.28556209, 0.41624998, 0.52335438});
}

/// Computed.
TEST(MaskFigures, LstmWithState) {
  const LSTM layer = with_constants(LSTM{.units = 2, .return_sequences = true});
  const Tensor x = counted_to({2, 4, 3}), start = Tensor::matrix({{0, 1}, {2, 3}});
  Tape tape(Mode::inference);
  const Var initial = tape.input(start);
  const auto [y, state] =
      layer.forward(with_mask(tape.input(x), tape.input(mask_at_begin())), {.h = initial, .c = initial});
  const std::vector<double> figures{0, 1, 0.04939968, 0.3745537, 0.11481079, 0.37054841, 0.19873814, 0.39267754,
                                    2, 3, 2,          3,         0.64793125, 0.66437734, 0.65461614, 0.66759109},
      cells{0.3543588, 0.81484733, 2.1737113, 2.88377395};
  for (Index i = 0; i < y.size(); ++i) EXPECT_NEAR(y.value()[i], figures[static_cast<std::size_t>(i)], 1e-6) << i;
  for (Index i = 0; i < 4; ++i) EXPECT_NEAR(state.c.value()[i], cells[static_cast<std::size_t>(i)], 1e-6) << i;
}

TEST(MaskFigures, Gru) {
  const GRU last{.units = 2}, sequence{.units = 2, .return_sequences = true}, back{.units = 2, .go_backwards = true};
  expect_units(masked_output(with_constants(last), mask_with_gaps()), {0.19393763, 0.30818558});
  expect_units(masked_output(with_constants(sequence), mask_with_gaps()),
               {0.03606692, 0.09497581, 0.09497581, 0.19393763, 0.16051409, 0.16051409, 0.16051409, 0.30818558});
  expect_units(masked_output(with_constants(back), mask_with_gaps()), {0.11669192, 0.28380975});
}

TEST(MaskFigures, SimpleRnn) {
  const SimpleRNN last{.units = 4}, sequence{.units = 2, .return_sequences = true},
      back{.units = 4, .go_backwards = true};
  expect_units(masked_output(with_constants(last), mask_with_gaps()), {0.32951632, 0.61799484});
  expect_units(masked_output(with_constants(sequence), mask_with_gaps()),
               {0.0599281, 0.15122814, 0.15122814, 0.32394567, 0.3969304, 0.3969304, 0.3969304, 0.608085});
  expect_units(masked_output(with_constants(back), mask_with_gaps()), {0.07376196, 0.43645123});
}

TEST(MaskFigures, Bidirectional) {
  const auto layer_of = [](const auto& one) {
    Bidirectional layer{one};
    Rng rng(1);
    layer.build({4, 3}, rng);
    for (const NamedLayer& each : layer.layers()) {
      for (const NamedParameter& named : each.layer->parameters()) {
        const double value = named.name == "kernel" ? 0.01 : named.name == "bias" ? 0.03 : 0.02;
        for (Real& element : named.parameter->value) {
          if (named.name != "bias" || element != 1) element = static_cast<Real>(value);
        }
      }
    }
    return layer;
  };
  expect_units(masked_output(layer_of(GRU{.units = 2}), mask_with_gaps()),
               {0.19393763, 0.11669192, 0.30818558, 0.28380975});
  // Computed: 0 at masked steps.
  expect_units(masked_output(layer_of(GRU{.units = 2, .return_sequences = true}), mask_with_gaps()),
               {0.03606692, 0.11669193, 0.09497582, 0.15118163, 0, 0, 0.19393763, 0.13738733,  //
                0.16051407, 0.28380977, 0, 0, 0, 0, 0.30818557, 0.19996789});
  expect_units(masked_output(layer_of(LSTM{.units = 2, .return_sequences = true}), mask_at_end()),
               {0.01588911, 0.08512698, 0.05552049, 0.09642052, 0.1175594, 0.07335165, 0, 0,  //
                0.141856, 0.26969943, 0.28556209, 0.17836204, 0, 0, 0, 0});
}

TEST(MaskFigures, MaskingAndPooling) {
  const Tensor x({2, 3, 2}, {0, 0, 1, 2, 0, 0, 2, 2, 0, 0, 2, 1});
  Tape tape(Mode::inference);
  const Var y = Masking{}.forward(tape.input(x));
  EXPECT_EQ(Tensor(y.mask().value()), Tensor::matrix({{0, 1, 0}, {1, 0, 1}}));
  const Tensor steps = counted_to({2, 3, 4}), mask = Tensor::matrix({{1, 1, 0}, {0, 1, 0}});
  const Var pooled = GlobalAveragePooling1D{}.forward(with_mask(tape.input(steps), tape.input(mask)));
  EXPECT_EQ(Tensor(pooled.value()), Tensor::matrix({{2, 3, 4, 5}, {16, 17, 18, 19}}));
  // Masked steps are 0 even if the value that marks them is not.
  const Var ones = Masking{.mask_value = 2}.forward(tape.input(x));
  EXPECT_EQ(Tensor(ones.value()), Tensor({2, 3, 2}, {0, 0, 1, 2, 0, 0, 0, 0, 0, 0, 2, 1}));
}

}  // namespace
}  // namespace cornu
