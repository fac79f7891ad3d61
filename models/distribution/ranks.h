#pragma once

#include <cstddef>
#include <exception>
#include <span>
#include <string>
#include <type_traits>
#include <vector>

#include "cornu/core/communicator.h"

namespace cornu::detail {

/// The ranks of a run, this process among them. If it is alone, nothing is exchanged.
class Ranks {
 public:
  explicit Ranks(const Distribution& distribution) : distribution_(distribution) {}

  bool alone() const { return distribution_.size() == 1; }
  Index rank() const { return distribution_.rank(); }
  Index size() const { return distribution_.size(); }
  /// True on the rank that runs callbacks, shows progress and writes files.
  bool leads() const { return rank() == 0; }
  Communicator& communicator() const { return *distribution_.communicator(); }

  /// Runs `task`, which differs between ranks. If it throws on some ranks, all throw: each of these its exception, the
  /// others PeerError with the text of the first one.
  template <class Task>
  void run(Task task) const {
    if (alone()) {
      task();
      return;
    }
    std::exception_ptr failure;
    try {
      task();
    } catch (...) {
      failure = std::current_exception();
    }
    agree(failure);
  }
  /// Throws on all ranks as `run` does if there is a failure on any.
  void agree(const std::exception_ptr& failure) const;

  /// Gives each rank the values of rank 0.
  template <class T>
  requires std::is_trivially_copyable_v<T>
  void share(std::span<T> values) const {
    if (!alone()) communicator().broadcast(std::as_writable_bytes(values));
  }
  template <class T>
  requires std::is_trivially_copyable_v<T>
  void share(T& value) const { share(std::span(&value, 1)); }
  void share(std::string& text) const;

  /// The value of each rank.
  template <class T>
  requires std::is_trivially_copyable_v<T> std::vector<T> of_all(const T& own)
  const {
    std::vector<T> all(static_cast<std::size_t>(size()), own);
    if (!alone()) communicator().all_gather(std::as_bytes(std::span(&own, 1)), std::as_writable_bytes(std::span(all)));
    return all;
  }
  std::vector<std::string> of_all(const std::string& own) const;

  /// On rank 0, the bytes of all ranks, one after the other; nothing on the others.
  std::span<const std::byte> gathered(std::span<const std::byte> own, std::vector<std::byte>& memory) const;

 private:
  Distribution distribution_;
};

}  // namespace cornu::detail
