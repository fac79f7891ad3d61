#pragma once

#include <cstddef>
#include <vector>

#include "cornu/datasets/batches.h"
#include "cornu/models/batch_weights.h"
#include "cornu/models/distribution/packed.h"
#include "cornu/models/distribution/ranks.h"
#include "cornu/models/progress.h"
#include "cornu/models/run_callbacks.h"
#include "cornu/models/sequential_state.h"

namespace cornu::detail {

/// Evaluates a dataset, any number of times, and keeps its memory between runs.
class Evaluation {
 public:
  /// The arguments must outlive this object. steps: batches; 0: the whole dataset. The ranks take the batches in
  /// turn, unless each has other data.
  Evaluation(const detail::SequentialState& model, DatasetRef data, Index batch_size, Index steps,
             ConstView sample_weight, const Ranks& ranks = Ranks({}), bool in_parts = false);

  Index steps() const { return steps_; }
  /// Returns loss and metrics. callbacks and display may be null.
  Logs run(const Callbacks* callbacks, ProgressDisplay* display);

 private:
  void run_batch(const Batch& batch, double penalty);
  void tally_batches();

  const detail::SequentialState& model_;
  DatasetRef data_;
  Ranks ranks_;
  Batcher batcher_;
  Index own_steps_;  // batches that this rank iterates over
  Index steps_;      // batches of all
  bool in_parts_;
  BatchWeights weights_;
  Tensor weights_memory_;
  TapePool::Lease tape_;
  Tally tally_;
  Tensor x_, y_;
  Packed results_;
  Result result_;
  std::vector<std::byte> all_results_;
};

}  // namespace cornu::detail
