#pragma once

#include <string_view>

#include "cornu/core/compiler.h"

namespace cornu {

/// The order in which a PyTorch module takes and returns sequences: (batch, steps, channels), (batch, channels, steps),
/// or the one it is given.
enum class SequenceOrder { channels_last, channels_first, either };

/// What is true of every layer of a type. A type for which the defaults are wrong declares, for instance,
///     static constexpr LayerTraits traits{.keeps_features = true};
struct LayerTraits {
  bool adds_input = false;      ///< the output is the input plus a function of it
  bool keeps_features = false;  ///< feature i of the output depends only on feature i of the input, and on parameters

  // ---- The equivalent PyTorch module ----
  SequenceOrder pytorch_sequences = SequenceOrder::channels_last;
  bool pytorch_is_one_module = false;   ///< `pytorch` adds the tensors of the layers inside
  bool pytorch_numbers_layers = false;  ///< the layers inside are numbered, as in an nn.Sequential

  // ---- The equivalent Keras layer ----
  std::string_view keras_cell{};     ///< part of the weights' names before the last one: "lstm_cell"
  std::string_view keras_kernel{};   ///< another name that some versions give to "kernel"
  std::string_view keras_counter{};  ///< a weight without a parameter here, which is not read
};

}  // namespace cornu
