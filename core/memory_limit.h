#pragma once

#include <algorithm>
#include <cstddef>

namespace cornu::detail {

/// What reading a file of so many bytes may take, where little in it can stand for much in memory.
constexpr std::size_t reading_memory(std::size_t bytes) { return (std::size_t{16} << 20) + 3 * bytes; }

/// What a file that describes a model may ask for. While one lives, no tensors are made in its thread beyond so many
/// bytes, counted as they are taken, whether they are given back or not: a number in a file is as quickly written as it
/// is large. Tapes may hold so many at once. The inner one of two counts.
class MemoryLimit {
 public:
  enum Kind { tensors, passes };

  MemoryLimit(std::size_t tensor_bytes, std::size_t pass_bytes);
  ~MemoryLimit();
  MemoryLimit(const MemoryLimit&) = delete;
  MemoryLimit& operator=(const MemoryLimit&) = delete;

  /// Says that so many bytes are about to be taken. Throws FormatError if they are too many; without a limit nothing.
  static void charge(Kind kind, std::size_t bytes) {
    if (current != nullptr) current->take(kind, bytes);
  }
  /// Says that a tape has given so many bytes back.
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
