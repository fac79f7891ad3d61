#include "cornu/bench/counters.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <ctime>
#include <functional>

#include "cornu/core/kernels/blas.h"

namespace cornu::bench {

namespace {

/// CPU time of the thread, like the rates of the benchmarks: wall-clock time includes other work on the machine.
double thread_seconds() {
  timespec time{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
}

double shortest(int times, const std::function<void()>& call) {
  double seconds = 1e9;
  for (int i = 0; i < times; ++i) {
    const double begin = thread_seconds();
    call();
    seconds = std::min(seconds, thread_seconds() - begin);
  }
  return seconds;
}

/// FLOP/s of a large matrix product.
double peak_flops() {
  constexpr Index n = 1024;
  const Tensor a = uniform({n, n});
  Tensor c({n, n});
  return 2.0 * n * n * n / shortest(10, [&] { gemm(a.view(), a.view(), overwrite(c)); });
}

/// Bytes/s, read plus written, of copying `numbers` elements.
double copied_bytes(Index numbers) {
  const Tensor from = uniform({numbers});
  Tensor to(from.shape());
  const auto bytes = static_cast<std::size_t>(numbers) * sizeof(Real);
  const int repeats = std::max(1, static_cast<int>((Index{1} << 24) / numbers));
  const double seconds = shortest(10, [&] {
    for (int i = 0; i < repeats; ++i) {
      std::memcpy(to.data(), from.data(), bytes);
      benchmark::ClobberMemory();
    }
  });
  return 2.0 * static_cast<double>(bytes) * repeats / seconds;
}

}  // namespace
}  // namespace cornu::bench

int main(int argc, char** argv) {
  using namespace cornu::bench;
  const auto billions = [](double value) { return fmt::format("{:.1f} G/s", value / 1e9); };
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  benchmark::AddCustomContext("peak FLOP/s of a product, one thread", billions(peak_flops()));
  benchmark::AddCustomContext("bytes/s of copies in the L2 cache", billions(copied_bytes(1 << 16)));
  benchmark::AddCustomContext("bytes/s of copies in memory", billions(copied_bytes(1 << 26)));
  benchmark::RunSpecifiedBenchmarks();
}
