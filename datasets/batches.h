#pragma once

#include <cstdint>
#include <iterator>
#include <optional>
#include <span>
#include <vector>

#include "cornu/core/tensor.h"
#include "cornu/datasets/dataset.h"

namespace cornu {

struct BatchOptions {
  Index batch_size = 32;
  /// Shuffles the samples in a new order every epoch: the permutation of Rng(shuffle_seed, epoch). Default: no
  /// shuffling.
  std::optional<std::uint64_t> shuffle_seed{};
  /// Drops the last batch if it is smaller than batch_size.
  bool drop_remainder = false;
  /// Instead of batch_size: divides the samples into this many batches, whose sizes differ by one at most. Some are
  /// empty if there are fewer samples. 0: batches of batch_size.
  Index batch_count = 0;
  /// The epoch of the first pass.
  std::uint64_t epoch = 0;
};

/// A batch of samples. x: (size, feature_shape...). y: (size) or (size, target_shape...).
struct Batch {
  Tensor x, y;
  Index index = 0;                // batch number in the epoch, from 0
  Index first = 0;                // number of samples in the epoch's earlier batches
  Index size = 0;                 // samples in this batch
  std::span<const Index> rows{};  // rows of the dataset in this batch; valid until the next batch
  /// The first rows of the next batch, at most 256: a caller of next_rows may pass them to DatasetRef::prefetch. Empty
  /// without shuffling, because the processor prefetches sequential rows itself.
  std::span<const Index> upcoming{};
};

/// Iterates over a dataset in batches, epoch after epoch. Its memory is allocated once: from the second batch on,
/// nothing is allocated.
///
///     Batcher batcher(train, {.batch_size = 32, .shuffle_seed = 1});
///     for (std::uint64_t epoch = 0; epoch < 5; ++epoch) {
///       batcher.start_epoch(epoch);
///       while (const Batch* batch = batcher.next()) step(batch->x, batch->y);
///     }
class Batcher {
 public:
  /// Starts epoch `options.epoch`. The dataset must outlive the batcher.
  /// Throws ValueError for an empty dataset, for batch_size < 1, for batch_count < 0 or with drop_remainder, and if
  /// drop_remainder leaves no batch.
  explicit Batcher(DatasetRef dataset, const BatchOptions& options = {});

  // Movable, but not copyable, because the current batch refers to the batcher's memory. A moved-from batcher has no
  // batches; using it throws StateError.
  Batcher(Batcher&&) = default;
  Batcher& operator=(Batcher&&) = default;

  /// Restarts in the order of this epoch.
  void start_epoch(std::uint64_t epoch);
  /// Returns the next batch, or null at the end of the epoch. The batch is overwritten by the following call.
  const Batch* next();
  /// The same without gathering: sets `rows` and leaves x and y unchanged.
  const Batch* next_rows();

  /// The number of batches and samples in an epoch, without a dropped remainder.
  Index batch_count() const { return batch_count_; }
  Index sample_count() const;
  const BatchOptions& options() const { return options_; }

 private:
  Index first_of(Index batch) const;

  DatasetRef dataset_;
  BatchOptions options_;
  Index batch_count_ = 0;
  std::vector<Index> order_;
  Index next_batch_ = 0;
  Batch batch_;
};

/// A range for range-based for loops. Each loop is one epoch.
class BatchRange {
 public:
  class Iterator {
   public:
    using value_type = Batch;
    using difference_type = std::ptrdiff_t;

    explicit Iterator(Batcher& batcher) : batcher_(&batcher), batch_(batcher.next()) {}
    const Batch& operator*() const { return *batch_; }
    const Batch* operator->() const { return batch_; }
    Iterator& operator++() {
      batch_ = batcher_->next();
      return *this;
    }
    void operator++(int) { ++*this; }
    friend bool operator==(const Iterator& it, std::default_sentinel_t) { return it.batch_ == nullptr; }

   private:
    Batcher* batcher_;
    const Batch* batch_;
  };

  explicit BatchRange(DatasetRef dataset, const BatchOptions& options = {}) : batcher_(dataset, options) {}

  /// Starts the epoch of the options the first time, the following epoch each time after.
  Iterator begin() {
    batcher_.start_epoch(batcher_.options().epoch + begun_++);
    return Iterator(batcher_);
  }
  std::default_sentinel_t end() const { return {}; }
  /// The number of batches.
  Index size() const { return batcher_.batch_count(); }

 private:
  Batcher batcher_;
  std::uint64_t begun_ = 0;
};

/// The batches of one epoch: `for (const Batch& batch : batches(train, {.batch_size = 32, .shuffle_seed = 1})) ...`
/// For several epochs, each in a new order, keep the range, `auto shuffled = batches(...);`, and loop over it
/// repeatedly. Throws as Batcher does.
inline BatchRange batches(DatasetRef dataset, const BatchOptions& options = {}) { return BatchRange(dataset, options); }

}  // namespace cornu
