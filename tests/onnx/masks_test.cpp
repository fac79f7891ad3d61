#include <gtest/gtest.h>

#include "cornu/cornu.h"
#include "cornu/onnx/model.h"
#include "cornu/tests/onnx/export.h"
#include "cornu/tests/onnx/support.h"

/// Models with masks in ONNX files: whatever steps are padding, the file computes what `predict` does.
namespace cornu {
namespace {

TEST(OnnxMasks, AFileComputesWhatTheModelDoes) {
  const LSTM lstm{.units = 3, .return_sequences = true};
  const std::vector<std::vector<AnyLayer>> models{
      {lstm, Dense{2}},
      {Bidirectional(lstm), GlobalAveragePooling1D{}},
      {GRU{.units = 3, .return_sequences = true, .go_backwards = true}, GRU{.units = 2, .reset_after = false}},
      {SimpleRNN{.units = 3}},
      {MultiHeadAttention{.num_heads = 2, .key_dim = 2}, GlobalMaxPooling1D{}},
      {LSTM{.units = 3, .activation = softplus, .return_sequences = true}, BatchNormalization{}}};
  Tensor x = testing::normal({5, 6, 3}, 4);
  for (Index step = 0; step < 30; step += 1 + step % 3) std::fill_n(x.data() + 3 * step, 3, Real{0});
  for (const std::vector<AnyLayer>& layers : models) {
    Sequential model{Input{6, 3}, Masking{}};
    for (const AnyLayer& layer : layers) model.add(layer);
    const onnx::Model read = onnx::parse(testing::exported(model), "masks");
    testing::expect_close(read.predict(x), model.predict(x));
  }
}

TEST(OnnxMasks, AnEmbeddingMasksIndexZero) {
  const Sequential model{Input{5}, Embedding{.input_dim = 6, .output_dim = 3, .mask_zero = true}, GRU{.units = 4}};
  const Tensor x = Tensor::matrix({{1, 2, 0, 0, 0}, {0, 0, 5, 4, 3}, {0, 1, 0, 1, 0}});
  testing::expect_close(onnx::parse(testing::exported(model), "masks").predict(x), model.predict(x));
}

}  // namespace
}  // namespace cornu
