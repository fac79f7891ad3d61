#pragma once

#include <algorithm>
#include <cstddef>

namespace cornu::detail {

/// Memory that reading an untrusted file of `bytes` bytes may take, for formats in which a few bytes can describe a
/// large object.
constexpr std::size_t reading_memory(std::size_t bytes) { return (std::size_t{16} << 20) + 3 * bytes; }

/// Per-thread allocation budget while an untrusted model file is loaded: a file of a few bytes can ask for terabytes.
/// Bytes of tensors accumulate: freeing a tensor returns nothing. Bytes of passes are returned when a tape frees them.
/// The innermost limit applies.
class MemoryLimit {
 public:
  enum Kind { tensors, passes };

  MemoryLimit(std::size_t tensor_bytes, std::size_t pass_bytes);
  ~MemoryLimit();
  MemoryLimit(const MemoryLimit&) = delete;
  MemoryLimit& operator=(const MemoryLimit&) = delete;

  /// Charges an allocation of `bytes` to the limit. Throws FormatError if it exceeds the budget. Does nothing without a
  /// limit.
  static void charge(Kind kind, std::size_t bytes) {
    if (current != nullptr) current->take(kind, bytes);
  }
  /// Returns `bytes` freed by a tape to the budget.
  static void give_back(std::size_t bytes) noexcept {
    if (current != nullptr) current->left_[passes] = std::min(current->limits_[passes], current->left_[passes] + bytes);
  }

 private:
  void take(Kind kind, std::size_t bytes);

  static constinit thread_local MemoryLimit* current;
  MemoryLimit* outer_;
  std::size_t limits_[2], left_[2];
};

}  // namespace cornu::detail
