#pragma once

#include <memory>

#include "cornu/datasets/dataset.h"

namespace cornu {

/// Gathers the next batch in a background thread while the current one is used. For datasets that read files, decode or
/// generate samples in `gather`, if a core is free: `const Prefetched data(images); model.fit(data)`.
///
/// The thread gathers the rows given to `prefetch`, one by one and at most 512 ahead. If rows are requested in
/// sequence, as in an evaluation, it gathers the same number of following rows. `gather` returns a finished row, waits
/// for a row that is in progress, and gathers the row itself if the thread has not started it. Results are therefore
/// the same as without Prefetched, and an error of the dataset is thrown to the caller who requests the row. Refers to
/// the dataset, which must outlive it. The thread calls the dataset's `gather` concurrently with other callers.
/// docs/decisions/prefetched.md
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
  Index split_gap() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace cornu
