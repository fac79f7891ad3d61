#pragma once

#include <atomic>
#include <exception>
#include <thread>
#include <vector>

#include "cornu/core/shape.h"

namespace cornu::detail {

/// A group of threads for parallel jobs in quick succession. A waiting thread spins for some microseconds, about the
/// time it takes to put a thread to sleep and wake it, and then sleeps. Not for concurrent callers.
class Team {
 public:
  /// `size` threads, including the caller's. Throws ValueError if size < 1.
  explicit Team(Index size);
  Team(const Team&) = delete;
  Team& operator=(const Team&) = delete;
  ~Team();

  Index size() const { return static_cast<Index>(workers_.size()) + 1; }

  /// Calls job(0), ..., job(members - 1) in parallel, job(0) on the caller's thread, and returns when all are done.
  /// members <= size(). If jobs throw, rethrows the exception of the one with the lowest number.
  template <class Job>
  void run(Index members, const Job& job) {
    run({[](const void* object, Index member) { (*static_cast<const Job*>(object))(member); }, &job}, members);
  }

 private:
  struct Call {
    void (*function)(const void*, Index) = nullptr;
    const void* object = nullptr;
  };

  void run(Call call, Index members);
  void work(Index member);
  void end();
  void attempt(Index member);

  std::vector<std::thread> workers_;
  std::vector<std::exception_ptr> failures_;  // one per member
  Call call_;
  Index members_ = 0;
  // On separate cache lines: the caller writes round_ and all read it; all write busy_ and the caller reads it.
  alignas(128) std::atomic<unsigned> round_ = 0;
  std::atomic<int> sleeping_ = 0;
  std::atomic<bool> ends_ = false;
  alignas(128) std::atomic<int> busy_ = 0;
};

/// The number of cores this process may run on.
Index available_cores();

}  // namespace cornu::detail
