#include "cornu/datasets/prefetched.h"

#include <algorithm>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <system_error>
#include <thread>
#include <vector>

namespace cornu {

namespace {

constexpr std::size_t most_rows = 512;

}  // namespace

struct Prefetched::State {
  /// A prefetched row and the state of its memory.
  struct Slot {
    enum { free, wanted, in_work, ready } stage = free;
    Index row = -1;
    std::size_t since = 0;  // sequence number of the prefetch request
  };

  DatasetRef dataset;
  Shape features, targets;
  Index size;
  Tensor x, y;  // one row per slot

  std::mutex mutex;  // guards everything below, and the x and y of all slots that are not in_work
  std::condition_variable work_is_there, row_is_ready;
  std::vector<Slot> slots;
  std::size_t named = 0;
  bool ends = false;
  std::thread thread;  // last member: it uses the others

  explicit State(DatasetRef data)
      : dataset(data),
        features(data.feature_shape()),
        targets(data.target_shape()),
        size(data.size()),
        slots(std::min(most_rows, static_cast<std::size_t>(size))) {
    x.resize(features.batched(std::ssize(slots)));
    y.resize(targets.batched(std::ssize(slots)));
    try {
      thread = std::thread([this] { work(); });
    } catch (const std::system_error&) {
      slots.clear();  // no thread available: gather() computes every row
    }
  }

  View x_of(std::size_t slot) { return {x.data() + static_cast<Index>(slot) * features.size(), features.batched(1)}; }
  View y_of(std::size_t slot) { return {y.data() + static_cast<Index>(slot) * targets.size(), targets.batched(1)}; }

  auto find(Index row) {
    return std::find_if(slots.begin(), slots.end(),
                        [=](const Slot& slot) { return slot.stage != Slot::free && slot.row == row; });
  }

  /// The slot to reuse: a free one, or else the one requested the longest ago.
  auto oldest() {
    const auto age = [](const Slot& slot) {
      return slot.stage == Slot::free ? 0 : slot.stage == Slot::in_work ? ~std::size_t{0} : slot.since;
    };
    return std::min_element(slots.begin(), slots.end(), [=](const Slot& a, const Slot& b) { return age(a) < age(b); });
  }

  void name(Index row) {
    if (row < 0 || row >= size || find(row) != slots.end()) return;
    const auto slot = oldest();
    if (slot == slots.end() || slot->stage == Slot::in_work) return;
    *slot = {Slot::wanted, row, ++named};
  }

  std::span<const Index> as_many_as_fit(std::span<const Index> rows) const {
    return rows.first(std::min(rows.size(), slots.size()));
  }

  void work() {
    std::unique_lock lock(mutex);
    while (true) {
      const auto next = [this] {
        auto first = slots.end();
        for (auto slot = slots.begin(); slot != slots.end(); ++slot) {
          if (slot->stage == Slot::wanted && (first == slots.end() || slot->since < first->since)) first = slot;
        }
        return first;
      };
      auto slot = slots.end();
      work_is_there.wait(lock, [&] { return ends || (slot = next()) != slots.end(); });
      if (ends) return;
      slot->stage = Slot::in_work;
      const auto number = static_cast<std::size_t>(slot - slots.begin());
      lock.unlock();
      bool failed = false;
      try {
        dataset.gather({&slot->row, 1}, x_of(number), y_of(number));
      } catch (...) {
        failed = true;  // gather() will get the same error when it computes the row
      }
      lock.lock();
      slot->stage = failed ? Slot::free : Slot::ready;
      row_is_ready.notify_all();
    }
  }

  /// Copies a row that is ready or in progress; returns false if the caller must gather it.
  bool take(Index row, View to_x, View to_y) {
    std::unique_lock lock(mutex);
    auto slot = find(row);
    if (slot == slots.end()) return false;
    row_is_ready.wait(lock, [&] { return slot->stage != Slot::in_work || slot->row != row; });
    if (slot->row != row) return false;  // another thread took it
    const bool ready = slot->stage == Slot::ready;
    if (ready) {
      const auto number = static_cast<std::size_t>(slot - slots.begin());
      std::copy_n(x_of(number).data(), features.size(), to_x.data());
      std::copy_n(y_of(number).data(), targets.size(), to_y.data());
    }
    slot->stage = Slot::free;
    return ready;
  }
};

Prefetched::Prefetched(DatasetRef dataset) : state_(std::make_unique<State>(dataset)) {}

Prefetched::~Prefetched() {
  if (!state_->thread.joinable()) return;
  {
    const std::lock_guard lock(state_->mutex);
    state_->ends = true;
  }
  state_->work_is_there.notify_one();
  state_->thread.join();
}

Index Prefetched::size() const { return state_->size; }
Shape Prefetched::feature_shape() const { return state_->features; }
Shape Prefetched::target_shape() const { return state_->targets; }
Index Prefetched::split_gap() const { return state_->dataset.split_gap(); }

void Prefetched::gather(std::span<const Index> rows, View x, View y) const {
  const Shape &features = state_->features, &targets = state_->targets;
  const auto count = static_cast<Index>(rows.size());
  detail::check_gather("Prefetched", rows, state_->size, features.size(), targets.size(), x, y);
  bool in_order = count > 1;
  for (Index i = 0; i < count; ++i) {
    const Index& row = rows[static_cast<std::size_t>(i)];
    in_order = in_order && row == rows[0] + i;
    const View to_x(x.data() + i * features.size(), features.batched(1));
    const View to_y(y.data() + i * targets.size(), targets.batched(1));
    if (!state_->take(row, to_x, to_y)) state_->dataset.gather({&row, 1}, to_x, to_y);
  }
  if (!in_order) return;
  {
    const std::lock_guard lock(state_->mutex);
    for (const Index row : state_->as_many_as_fit(rows)) state_->name(row + count);
  }
  state_->work_is_there.notify_one();
}

void Prefetched::prefetch(std::span<const Index> rows) const {
  {
    const std::lock_guard lock(state_->mutex);
    for (const Index row : state_->as_many_as_fit(rows)) state_->name(row);
  }
  state_->work_is_there.notify_one();
}

}  // namespace cornu
