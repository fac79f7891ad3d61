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
  /// Shuffles the samples, in a new order every epoch: the permutation of Rng(shuffle_seed, epoch). In the dataset's
  /// own order without.
  std::optional<std::uint64_t> shuffle_seed{};
  /// Leaves out the last batch where it is smaller than the others.
  bool drop_remainder = false;
  /// Which of the shuffles comes first.
  std::uint64_t epoch = 0;
};

/// Some samples of a dataset: x is (size, feature_shape...), y is (size) or (size, target_shape...).
struct Batch {
  Tensor x, y;
  Index index = 0;                // Which batch of the epoch this is, from 0.
  Index first = 0;                // How many samples of the epoch came before.
  Index size = 0;                 // How many samples this one has.
  std::span<const Index> rows{};  // Which rows of the dataset they are; valid until the batch after.
  /// Which rows of the next batch whoever gathers may fetch ahead, with DatasetRef::prefetch; as many as do not push
  /// each other out again, none where rows come in order and the processor sees for itself what is next.
  std::span<const Index> upcoming{};
};

/// Goes through a dataset in batches, epoch after epoch, in memory that it allocates once: from the second batch on,
/// nothing is allocated, whatever the epoch.
///
///     Batcher batcher(train, {.batch_size = 32, .shuffle_seed = 1});
///     for (std::uint64_t epoch = 0; epoch < 5; ++epoch) {
///       batcher.start_epoch(epoch);
///       while (const Batch* batch = batcher.next()) step(batch->x, batch->y);
///     }
class Batcher {
 public:
  /// Starts epoch `options.epoch`. The dataset must outlive the batcher.
  /// Throws ValueError for an empty dataset, a batch_size below 1, and where drop_remainder would leave no batch at
  /// all.
  explicit Batcher(DatasetRef dataset, const BatchOptions& options = {});

  // Its current batch looks at its own rows: it can be moved, but not copied. A batcher that was moved from has no
  // batches: asking for one throws StateError.
  Batcher(Batcher&&) = default;
  Batcher& operator=(Batcher&&) = default;

  /// Begins anew, in the order that belongs to this epoch.
  void start_epoch(std::uint64_t epoch);
  /// The next batch, or null at the end of the epoch. It is overwritten by the one after.
  const Batch* next();
  /// The same without gathering: `rows` tells which samples they are, x and y stay as they were.
  const Batch* next_rows();

  /// Batches and samples that an epoch has; a dropped remainder does not count.
  Index batch_count() const { return batch_count_; }
  Index sample_count() const;
  const BatchOptions& options() const { return options_; }

 private:
  DatasetRef dataset_;
  BatchOptions options_;
  Index batch_count_ = 0;
  std::vector<Index> order_;
  Index next_batch_ = 0;
  Batch batch_;
};

/// A Batcher for range-for loops, each of which goes through one epoch.
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

  /// Starts the epoch of the options, and the next one each time after, from its first batch.
  Iterator begin() {
    batcher_.start_epoch(batcher_.options().epoch + begun_++);
    return Iterator(batcher_);
  }
  std::default_sentinel_t end() const { return {}; }
  /// How many batches there are.
  Index size() const { return batcher_.batch_count(); }

 private:
  Batcher batcher_;
  std::uint64_t begun_ = 0;
};

/// The batches of one epoch: `for (const Batch& batch : batches(train, {.batch_size = 32, .shuffle_seed = 1})) ...`
/// For several epochs, in a new order each, keep the range: `auto shuffled = batches(...);` and loop over it again.
/// Throws as Batcher does.
inline BatchRange batches(DatasetRef dataset, const BatchOptions& options = {}) { return BatchRange(dataset, options); }

}  // namespace cornu
