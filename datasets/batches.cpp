#include "cornu/datasets/batches.h"

#include <algorithm>
#include <numeric>

#include "cornu/core/deep_ptr.h"
#include "cornu/core/error.h"
#include "cornu/core/random.h"

namespace cornu {

namespace {

constexpr std::size_t most_prefetched = 256;  // rows

}  // namespace

Batcher::Batcher(DatasetRef dataset, const BatchOptions& options) : dataset_(dataset), options_(options) {
  const Index size = dataset.size();
  const Index batch_size = options.batch_size;
  require<ValueError>(batch_size >= 1, "batches: batch_size is {}; it must be at least 1", batch_size);
  require<ValueError>(size >= 1, "batches: the dataset is empty");
  require<ValueError>(!options.drop_remainder || size >= batch_size,
                      "batches: with batch_size {} and drop_remainder, a dataset of {} samples has no batch",
                      batch_size, size);
  require<ValueError>(options.batch_count >= 0 && !(options.batch_count > 0 && options.drop_remainder),
                      "batches: batch_count is {}{}", options.batch_count,
                      options.batch_count < 0 ? "; it must not be negative" : ", which leaves no remainder to drop");
  batch_count_ = options.batch_count > 0
                     ? options.batch_count
                     : size / batch_size + (size % batch_size != 0 && !options.drop_remainder ? 1 : 0);
  order_.resize(static_cast<std::size_t>(size));
  start_epoch(options.epoch);
}

Index Batcher::sample_count() const {
  const auto size = static_cast<Index>(order_.size());
  return options_.drop_remainder ? batch_count_ * options_.batch_size : size;
}

void Batcher::start_epoch(std::uint64_t epoch) {
  detail::require_held(!order_.empty());
  // Shuffle the sorted order each time, so that an epoch's order does not depend on earlier epochs.
  std::iota(order_.begin(), order_.end(), Index{0});
  if (options_.shuffle_seed) Rng(*options_.shuffle_seed, epoch).shuffle(order_);
  next_batch_ = 0;
}

Index Batcher::first_of(Index batch) const {
  const auto total = static_cast<Index>(order_.size());
  return options_.batch_count > 0 ? total * batch / batch_count_ : std::min(total, options_.batch_size * batch);
}

const Batch* Batcher::next_rows() {
  detail::require_held(!order_.empty());
  if (next_batch_ == batch_count_) return nullptr;
  batch_.index = next_batch_++;
  batch_.first = first_of(batch_.index);
  batch_.size = first_of(next_batch_) - batch_.first;
  batch_.rows = {order_.data() + batch_.first, static_cast<std::size_t>(batch_.size)};
  if (options_.shuffle_seed) {
    const auto rest = std::span<const Index>(order_).subspan(static_cast<std::size_t>(batch_.first + batch_.size));
    batch_.upcoming = rest.first(std::min({rest.size(), batch_.rows.size(), most_prefetched}));
  }
  return &batch_;
}

const Batch* Batcher::next() {
  if (next_rows() == nullptr) return nullptr;
  dataset_.prefetch(batch_.upcoming);
  dataset_.gather_into(batch_.x, batch_.y, batch_.rows);
  return &batch_;
}

}  // namespace cornu
