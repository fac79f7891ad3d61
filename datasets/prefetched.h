#pragma once

#include <memory>

#include "cornu/datasets/dataset.h"

namespace cornu {

/// A dataset whose next batch a thread of its own gathers while this one is learnt from: for datasets that read files,
/// decode or draw what they gather, and a thread or a core to spare. `const Prefetched data(images); model.fit(data)`.
///
/// It gathers row by row what `prefetch` names, at most 512 rows ahead, and where rows are asked for in order, as for
/// an evaluation, the next as many. Who asks for a row gets the one that is there, waits for one that is being made,
/// and gathers it itself where the thread has not begun; so nothing changes but the time, and an error of the dataset
/// reaches whoever asks for that row. Refers to the dataset and does not copy it; its gather, which by the rules for
/// datasets several threads may call, is called by one more. docs/decisions/prefetched.md
class Prefetched {
 public:
  explicit Prefetched(DatasetRef dataset);
  Prefetched(const Prefetched&) = delete;
  Prefetched& operator=(const Prefetched&) = delete;
  ~Prefetched();

  Index size() const;
  Shape feature_shape() const;
  Shape target_shape() const;
  void gather(std::span<const Index> rows, View x, View y) const;
  void prefetch(std::span<const Index> rows) const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace cornu
