#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "cornu/models/distribution/ranks.h"
#include "cornu/models/sequential_state.h"

namespace cornu::detail {

/// A hash of the model's weights and its optimizer's state.
std::uint64_t fingerprint(SequentialState& model);

/// Gives all ranks the weights of rank 0, which of its parameters are frozen, its optimizer's state and learning rate,
/// and how much it has been trained. Copies nothing if the hashes are the same. Throws StateError, naming the rank,
/// unless the parameters have the same shapes everywhere.
void share_model(const Ranks& ranks, SequentialState& model);

/// Gives all ranks the mean of their weights and of their optimizers' state.
void average_model(const Ranks& ranks, SequentialState& model);

/// Throws StateError, naming the rank, unless the weights and the optimizer's state are the same on all ranks.
void require_same_model(const Ranks& ranks, SequentialState& model);

/// Throws ValueError, naming a rank that differs from rank 0 and what differs, unless all of these facts
/// (name and text) are the same everywhere.
void require_same(const Ranks& ranks, const std::vector<std::pair<std::string, std::string>>& facts);

}  // namespace cornu::detail
