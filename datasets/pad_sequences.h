#pragma once

#include <array>
#include <optional>
#include <span>
#include <string_view>

#include "cornu/core/tensor.h"

namespace cornu {

/// The beginning or the end of a sequence.
enum class SequenceSide { pre, post };
constexpr std::array<std::string_view, 2> option_names(SequenceSide) { return {"pre", "post"}; }

/// Names and defaults are those of keras.utils.pad_sequences.
struct PadOptions {
  std::optional<Index> maxlen{};                ///< steps of the result; by default those of the longest sequence
  SequenceSide padding = SequenceSide::pre;     ///< where short sequences get padding
  SequenceSide truncating = SequenceSide::pre;  ///< where long sequences lose steps
  double value = 0;                             ///< of the padding
};

/// Sequences of different lengths as one tensor: shorter ones are padded, longer ones truncated.
///
///     const std::vector<Tensor> reviews{...};                              // (12), (310), (47), ...
///     const Tensor x = pad_sequences(reviews, {.maxlen = 100});            // (reviews, 100)
///
/// sequences: (steps), such as ids of words, or (steps, features...) with the same features. Returns (sequences,
/// maxlen, features...). An empty sequence becomes padding only; it may be of shape (0), whatever the others are. The
/// default padding precedes the steps, so that the last step of each row is the last step of its sequence, which a
/// recurrent layer returns. SequenceSide::post is the order of PyTorch's pad_sequence and packed sequences.
/// Throws ValueError if there are no sequences, for a maxlen below 1, and without maxlen if all sequences are empty;
/// ShapeError, naming the sequence, for a scalar and for other features than those of the sequences before.
Tensor pad_sequences(std::span<const Tensor> sequences, const PadOptions& options = {});

}  // namespace cornu
