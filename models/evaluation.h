#pragma once

#include <exception>
#include <span>

#include "cornu/datasets/batches.h"
#include "cornu/models/batch_weights.h"
#include "cornu/models/progress.h"
#include "cornu/models/sequential_state.h"

namespace cornu {

/// Calls all callbacks of a run, in order.
struct Callbacks {
  std::span<AnyCallback> all;
  Run& run;
  void operator()(Hook hook, Index index, Logs& logs) const {
    for (AnyCallback& callback : all) callback.call(hook, run, index, logs);
  }

  /// Calls `begin`, then body(), then `end` for each callback whose `begin` returned, even after exceptions. Rethrows
  /// the first exception.
  template <class Body>
  void during(Hook begin, Hook end, Logs& logs, Body body) const {
    std::size_t begun = 0;
    const auto end_all = [&] {
      for (AnyCallback& callback : all.first(begun)) {
        try {
          callback.call(end, run, 0, logs);
        } catch (...) {
          if (!run.error) run.error = std::current_exception();
        }
      }
    };
    try {
      for (AnyCallback& callback : all) {
        callback.call(begin, run, 0, logs);
        ++begun;
      }
      body();
    } catch (...) {
      run.error = std::current_exception();
      end_all();
      throw;
    }
    end_all();
    if (run.error) std::rethrow_exception(run.error);
  }
};

/// Evaluates a dataset, any number of times, and keeps its memory between runs.
class Evaluation {
 public:
  /// The arguments must outlive this object. steps: batches; 0: the whole dataset.
  Evaluation(const detail::SequentialState& model, DatasetRef data, Index batch_size, Index steps,
             ConstView sample_weight);

  Index steps() const { return steps_; }
  /// Returns loss and metrics. callbacks and display may be null.
  Logs run(const Callbacks* callbacks, ProgressDisplay* display);

 private:
  const detail::SequentialState& model_;
  Batcher batcher_;
  Index steps_;
  BatchWeights weights_;
  Tensor weights_memory_;
  TapePool::Lease tape_;
  Tally tally_;
};

}  // namespace cornu
