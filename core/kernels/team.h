#pragma once

#include <atomic>
#include <exception>
#include <thread>
#include <vector>

#include "cornu/core/shape.h"

namespace cornu {

/// Threads that do one job after another together, with little time in between: who waits spins for some microseconds,
/// which is what a thread needs to fall asleep and be woken, and sleeps then. For one caller at a time.
class Team {
 public:
  /// `size` threads, the caller's included. Throws ValueError below 1.
  explicit Team(Index size);
  Team(const Team&) = delete;
  Team& operator=(const Team&) = delete;
  ~Team();

  Index size() const { return static_cast<Index>(workers_.size()) + 1; }

  /// Calls job(0), ..., job(members - 1) at the same time, job(0) on the caller's thread, and returns when all are
  /// done; members: at most size(). If jobs throw, the exception of the first of them is thrown on.
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
  std::vector<std::exception_ptr> failures_;  // one place a member
  Call call_;
  Index members_ = 0;
  // On cache lines of their own: one is written by the caller and read by all, the other the reverse.
  alignas(128) std::atomic<unsigned> round_ = 0;
  std::atomic<int> sleeping_ = 0;
  std::atomic<bool> ends_ = false;
  alignas(128) std::atomic<int> busy_ = 0;
};

/// How many threads this process may run at once: the cores that it is allowed on.
Index available_cores();

}  // namespace cornu
