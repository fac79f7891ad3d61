#include "cornu/core/kernels/team.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "cornu/core/error.h"

#ifdef __linux__
#include <sched.h>
#endif

namespace cornu::detail {

namespace {

void pause() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

/// Spins until `done()` is true, for about as long as it takes to wake a thread. Returns false on timeout.
template <class Done>
bool spin(Done done) {
  using Clock = std::chrono::steady_clock;
  constexpr auto patience = std::chrono::microseconds(50);
  const auto begin = Clock::now();
  do {
    for (int i = 0; i < 64; ++i) {
      if (done()) return true;
      pause();
    }
  } while (Clock::now() - begin < patience);
  return done();
}

}  // namespace

Team::Team(Index size) {
  require<ValueError>(size >= 1, "Team: {} threads; there must be at least 1", size);
  failures_.resize(static_cast<std::size_t>(size));
  workers_.reserve(static_cast<std::size_t>(size - 1));
  try {
    for (Index member = 1; member < size; ++member) workers_.emplace_back([this, member] { work(member); });
  } catch (...) {
    end();
    throw;
  }
}

Team::~Team() { end(); }

void Team::end() {
  ends_ = true;
  round_.fetch_add(1);
  round_.notify_all();
  for (std::thread& worker : workers_) worker.join();
}

void Team::attempt(Index member) {
  try {
    call_.function(call_.object, member);
  } catch (...) {
    failures_[static_cast<std::size_t>(member)] = std::current_exception();
  }
}

void Team::work(Index member) {
  for (unsigned seen = 0;; ++seen) {
    if (!spin([&] { return round_.load(std::memory_order_acquire) != seen; })) {
      // sleeping_ is incremented before round_ is read again, and `run` reads sleeping_ after it changes round_: either
      // this thread sees the new round, or `run` sees that it must be notified.
      sleeping_.fetch_add(1);
      round_.wait(seen);
      sleeping_.fetch_sub(1);
    }
    if (ends_) return;
    if (member < members_) attempt(member);
    if (busy_.fetch_sub(1, std::memory_order_acq_rel) == 1) busy_.notify_one();
  }
}

void Team::run(Call call, Index members) {
  call_ = call;
  members_ = members;
  busy_.store(static_cast<int>(workers_.size()), std::memory_order_relaxed);
  round_.fetch_add(1);
  if (sleeping_.load() > 0) round_.notify_all();
  attempt(0);
  const auto done = [&] { return busy_.load(std::memory_order_acquire) == 0; };
  if (!spin(done)) {
    for (int busy = busy_.load(); busy != 0; busy = busy_.load()) busy_.wait(busy);
  }
  for (std::exception_ptr& failure : failures_) {
    if (failure == nullptr) continue;
    const std::exception_ptr first = std::exchange(failure, nullptr);
    for (std::exception_ptr& other : failures_) other = nullptr;
    std::rethrow_exception(first);
  }
}

Index available_cores() {
#ifdef __linux__
  cpu_set_t allowed;
  if (sched_getaffinity(0, sizeof(allowed), &allowed) == 0) return std::max(1, CPU_COUNT(&allowed));
#endif
  return std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
}

}  // namespace cornu::detail
