#pragma once

#include <exception>
#include <span>

#include "cornu/models/progress.h"
#include "cornu/models/sequential_state.h"

namespace cornu {

/// The callbacks of a run, called one after the other.
struct Callbacks {
  std::span<AnyCallback> all;
  Run& run;
  void operator()(Hook hook, Index index, Logs& logs) const {
    for (AnyCallback& callback : all) callback.call(hook, run, index, logs);
  }

  /// Calls `begin`, then body(), then `end` for each callback whose `begin` returned, whatever is thrown meanwhile.
  /// Throws the first of these exceptions.
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

/// Goes through a dataset without learning, as often as it is asked to; keeps its memory for the next time.
class Evaluation {
 public:
  /// All of these must outlive it. steps: batches, 0 for the whole dataset.
  Evaluation(const detail::SequentialState& model, DatasetRef data, Index batch_size, Index steps,
             ConstView sample_weight);

  Index steps() const { return steps_; }
  /// Loss and metrics; callbacks and display may be null.
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
