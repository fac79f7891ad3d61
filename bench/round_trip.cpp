// Measures the latency between the machine's cores: two threads on different cores answer each other through one cache
// line each. Prints the median round trip in nanoseconds, which on a virtual machine may change by the minute.

#include <pthread.h>

#include <atomic>
#include <cstdio>
#include <thread>

#include "cornu/bench/workload.h"

namespace {

struct alignas(128) Line {
  std::atomic<int> number = 0;
};

void stay_on_core(int core) {
  cpu_set_t cores;
  CPU_ZERO(&cores);
  CPU_SET(core, &cores);
  pthread_setaffinity_np(pthread_self(), sizeof cores, &cores);
}

void wait_for(const Line& line, int number) {
  while (line.number.load(std::memory_order_acquire) != number) {
  }
}

}  // namespace

int main() {
  constexpr int rounds = 300, trips = 300;
  if (std::thread::hardware_concurrency() < 2) {
    std::puts(R"({"program": "round_trip", "round_trip_ns": null})");
    return 0;
  }
  Line ping, pong;
  std::jthread other([&] {
    stay_on_core(1);
    for (int i = 1; i <= rounds * trips; ++i) {
      wait_for(ping, i);
      pong.number.store(i, std::memory_order_release);
    }
  });
  stay_on_core(0);
  std::vector<double> seconds;
  for (int round = 0, i = 0; round < rounds; ++round) {
    const double begin = cornu::bench::now();
    for (int trip = 0; trip < trips; ++trip) {
      ping.number.store(++i, std::memory_order_release);
      wait_for(pong, i);
    }
    seconds.push_back((cornu::bench::now() - begin) / trips);
  }
  std::printf("{\"program\": \"round_trip\", \"round_trip_ns\": %.1f}\n", cornu::bench::median(seconds) * 1e9);
}
