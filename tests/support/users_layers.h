#pragma once

#include <string>
#include <utility>
#include <vector>

#include "cornu/cornu.h"

/// Layers as a user writes them: structs of ops and layers that are registered nowhere.
namespace cornu::testing {

struct Mish {
  Var forward(Var x) const { return x * tanh(softplus(x)); }
};

struct ScaleAndShift {
  Parameter scale, shift;
  Shape build(const Shape& input, Rng&) {
    scale = {Tensor::full({input[-1]}, 2)};
    shift = {Tensor::full({input[-1]}, Real(0.5))};
    return input;
  }
  Var forward(Var x) const { return x * scale + shift; }
  NamedParameters parameters() { return {{"scale", &scale}, {"shift", &shift}}; }
};

/// Hu, Shen and Sun (2018).
struct SqueezeAndExcite {
  Index channels;
  AnyLayer squeeze = Dense{2, relu}, excite = Dense{channels, sigmoid};
  Var forward(Var x) const {
    const Shape& s = x.shape();
    const Var each = mean(reshape(x, {s[0], s[1] * s[2], s[3]}), 1);
    return x * reshape(excite(squeeze(each)), {s[0], 1, 1, s[3]});
  }
  NamedLayers layers() { return {{"squeeze", &squeeze}, {"excite", &excite}}; }
};

/// A gated, dilated, causal convolution with a residual path (van den Oord et al., 2016).
struct WaveNetBlock {
  Index channels, dilation;
  AnyLayer filter =
               Conv1D{.filters = channels, .kernel_size = 2, .padding = Padding::causal, .dilation_rate = dilation},
           gate = Conv1D{.filters = channels, .kernel_size = 2, .padding = Padding::causal, .dilation_rate = dilation},
           mix = Conv1D{.filters = channels, .kernel_size = 1};
  Var forward(Var x) const { return x + mix(tanh(filter(x)) * sigmoid(gate(x))); }
  NamedLayers layers() { return {{"filter", &filter}, {"gate", &gate}, {"mix", &mix}}; }
};

/// A recurrent cell whose first state is zeros for each sample.
struct Elman {
  AnyLayer input = Dense{3}, state = Dense{3};
  Var forward(Var x) const {
    const Shape& s = x.shape();
    Var h = x.tape().constant(Tensor({s[0], 3}));
    for (Index t = 0; t < s[1]; ++t) h = tanh(input(reshape(slice_axis(x, 1, t, t + 1), {s[0], s[2]})) + state(h));
    return h;
  }
  NamedLayers layers() { return {{"input", &input}, {"state", &state}}; }
};

struct Weighted {
  AnyLayer image = Conv2D{.filters = 2, .kernel_size = 3}, numbers = Dense{2};
  Var forward(Var picture, Var others) const {
    const Var y = image(picture);
    const Shape& s = y.shape();
    return mean(reshape(y, {s[0], s[1] * s[2], s[3]}), 1) * numbers(others);
  }
  NamedLayers layers() { return {{"image", &image}, {"numbers", &numbers}}; }
};

/// Whether two points are near each other: both pass through the same tower.
struct Same {
  AnyLayer tower = Sequential{Dense{16, relu}, Residual{Dense{16, relu}}, Dense{4, tanh}};
  AnyLayer head = Dense{1, sigmoid};
  Var forward(Var a, Var b) const { return head(square(tower(a) - tower(b))); }
  NamedLayers layers() { return {{"tower", &tower}, {"head", &head}}; }
};

/// Reads the sequence, then reads it again from the state after it, backwards.
template <class L>
struct TwicePast {
  AnyLayer first = L{.units = 3}, second = L{.units = 3, .return_sequences = true, .go_backwards = true};
  Var forward(Var x) const {
    const RecurrentState past = first(x, {}).state;
    const auto [y, last] = second(x, past);
    const Var end = last.c ? last.h * last.c : last.h;
    return y * reshape(end, {end.shape()[0], 1, end.shape()[1]});
  }
  NamedLayers layers() { return {{"first", &first}, {"second", &second}}; }
};

/// Models with these layers, and with rare options of Cornu's own.
inline std::vector<std::pair<std::string, Sequential>> users_models() {
  std::vector<std::pair<std::string, Sequential>> result;
  result.emplace_back("formulas", Sequential{Input{6}, Dense{5}, Mish{}, ScaleAndShift{}});
  result.emplace_back("squeeze_and_excite", Sequential{Input{6, 6, 3}, Conv2D{.filters = 3, .kernel_size = 2},
                                                       SqueezeAndExcite{3}, Flatten{}, Dense{4, softmax}});
  result.emplace_back("wavenet", Sequential{Input{9, 3}, WaveNetBlock{3, 1}, WaveNetBlock{3, 2}, WaveNetBlock{3, 4}});
  result.emplace_back(
      "residual_cnn",
      Sequential{
          Input{6, 6, 3},
          Residual{Conv2D{.filters = 3, .kernel_size = 3, .padding = Padding::same}, BatchNormalization{}, ReLU{}},
          Conv2D{.filters = 4, .kernel_size = 3, .strides = 2}, BatchNormalization{}, GlobalAveragePooling2D{}});
  result.emplace_back("elman", Sequential{Input{5, 2}, Elman{}});
  result.emplace_back("lstm_of_relu", Sequential{Input{5, 2}, LSTM{.units = 3, .activation = relu}, Dense{2}});
  result.emplace_back("gru_of_elu", Sequential{Input{5, 2}, GRU{.units = 3, .activation = elu, .reset_after = false}});
  result.emplace_back("lstm_states", Sequential{Input{4, 2}, {"twice", TwicePast<LSTM>{}}, Flatten{}});
  result.emplace_back("gru_states", Sequential{Input{4, 2}, {"twice", TwicePast<GRU>{}}, Flatten{}});
  result.emplace_back("simple_rnn_states", Sequential{Input{4, 2}, {"twice", TwicePast<SimpleRNN>{}}, Flatten{}});
  result.emplace_back("activation", Sequential{Input{5}, Dense{3, [](Var x) { return x * x; }}});
  return result;
}

}  // namespace cornu::testing
