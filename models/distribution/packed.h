#pragma once

#include <array>
#include <cstddef>
#include <cstring>
#include <span>
#include <type_traits>
#include <vector>

#include "cornu/core/tensor.h"

namespace cornu::detail {

/// Numbers and tensors in a row of bytes, for another process of the same program.
class Packed {
 public:
  void clear() { bytes_.clear(); }
  std::span<const std::byte> bytes() const { return bytes_; }

  template <class T>
  requires std::is_trivially_copyable_v<T>
  void put(const T& value) { append(std::as_bytes(std::span(&value, 1))); }
  /// Also a view of nothing.
  void put(ConstView values) {
    put(values.data() != nullptr);
    if (values.data() == nullptr) return;
    put(values.shape());
    append(std::as_bytes(std::span(values.data(), static_cast<std::size_t>(values.size()))));
  }

 private:
  void append(std::span<const std::byte> bytes) { bytes_.insert(bytes_.end(), bytes.begin(), bytes.end()); }

  std::vector<std::byte> bytes_;
};

/// Reads what Packed has written, in the same order.
class Unpacked {
 public:
  explicit Unpacked(std::span<const std::byte> bytes) : rest_(bytes) {}
  bool empty() const { return rest_.empty(); }

  template <class T>
  requires std::is_trivially_copyable_v<T> T get() {
    T value;
    take(&value, sizeof value);
    return value;
  }
  /// In `memory`, resized.
  ConstView get(Tensor& memory) {
    if (!get<bool>()) return {};
    memory.resize(get<Shape>());
    take(memory.data(), static_cast<std::size_t>(memory.size()) * sizeof(Real));
    return memory;
  }

 private:
  void take(void* to, std::size_t bytes) {
    if (bytes > 0) std::memcpy(to, rest_.data(), bytes);
    rest_ = rest_.subspan(bytes);
  }

  std::span<const std::byte> rest_;
};

/// Writes the loss of some samples, and what metrics read of them.
inline void put_result(Packed& to, double loss, Index samples, ConstView y_true, ConstView y_pred, ConstView weights) {
  to.put(loss);
  to.put(samples);
  to.put(y_true);
  to.put(y_pred);
  to.put(weights);
}

/// What put_result has written.
struct Result {
  double loss = 0;
  Index samples = 0;
  ConstView y_true, y_pred, weights;

  /// The views are valid until the next call.
  void get(Unpacked& from) {
    loss = from.get<double>();
    samples = from.get<Index>();
    y_true = from.get(memory_[0]);
    y_pred = from.get(memory_[1]);
    weights = from.get(memory_[2]);
  }

 private:
  std::array<Tensor, 3> memory_;
};

}  // namespace cornu::detail
