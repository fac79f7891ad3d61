// Streams: nanoseconds per time step, one step at a time and in blocks of 64, next to `predict` on a whole sequence.
// Each figure is the median of rounds in which the models take turns. `streams --jitter STEPS` runs single steps as an
// audio thread does, with a pause after each 64, and prints the median and the 99.9th percentile.

#include <cornu/cornu.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <thread>
#include <vector>

using namespace cornu;

namespace {

double now() {
  return std::chrono::duration<double, std::nano>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

double quantile(std::vector<double>& times, double fraction) {
  std::sort(times.begin(), times.end());
  return times[std::min(times.size() - 1, static_cast<std::size_t>(fraction * static_cast<double>(times.size())))];
}

struct Case {
  std::string name;
  Sequential model;
};

constexpr Index steps = 2048;

/// Ten causal convolutions of 16 channels with dilations 1 to 512, and a ReLU each.
Sequential convolutions() {
  Sequential model{Input{steps, 16}};
  for (Index dilation = 1; dilation <= 512; dilation *= 2) {
    model.add(Conv1D{
        .filters = 16, .kernel_size = 3, .padding = Padding::causal, .dilation_rate = dilation, .activation = relu});
  }
  return model;
}

/// As many multiply-adds in one convolution: what they take at the peak of the kernel.
Sequential one_convolution() {
  return {Input{steps, 16}, Conv1D{.filters = 16, .kernel_size = 30, .padding = Padding::causal, .activation = relu}};
}

std::vector<Case> cases() {
  return {{"LSTM(20)", {Input{steps, 1}, LSTM{.units = 20, .return_sequences = true}, Dense{1}}},
          {"LSTM(40)", {Input{steps, 1}, LSTM{.units = 40, .return_sequences = true}, Dense{1}}},
          {"GRU(20)", {Input{steps, 1}, GRU{.units = 20, .return_sequences = true}, Dense{1}}},
          {"GRU(40)", {Input{steps, 1}, GRU{.units = 40, .return_sequences = true}, Dense{1}}},
          {"10 x Conv1D(16)", convolutions()},
          {"1 x Conv1D(16)", one_convolution()}};
}

struct Times {
  std::vector<double> single, block, whole;
};

/// Nanoseconds per step of one round.
double time_of(Stream& stream, const std::vector<Real>& x, std::vector<Real>& y, Index block) {
  const auto in = static_cast<std::size_t>(stream.input_size() * block),
             out = static_cast<std::size_t>(stream.output_size() * block);
  const double begin = now();
  for (std::size_t i = 0, o = 0; i < x.size(); i += in, o += out) {
    stream.step(std::span(x).subspan(i, in), std::span(y).subspan(o, out));
  }
  return (now() - begin) / static_cast<double>(steps);
}

void jitter(Index count) {
  for (const Case& each : cases()) {
    Stream stream(each.model);
    std::vector<Real> x(static_cast<std::size_t>(stream.input_size()), Real(0.1)),
        y(static_cast<std::size_t>(stream.output_size()));
    std::vector<double> times;
    for (Index i = 0; i < count; ++i) {
      const double begin = now();
      stream.step(x, y);
      times.push_back(now() - begin);
      if (i % 64 == 63) std::this_thread::sleep_for(std::chrono::microseconds(200));
    }
    const double median = quantile(times, 0.5), late = quantile(times, 0.999);
    std::printf("%-16s median %6.0f ns, 99.9 %% below %6.0f ns: %.2f times\n", each.name.c_str(), median, late,
                late / median);
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc == 3 && std::string(argv[1]) == "--jitter") {
    jitter(std::atol(argv[2]));
    return 0;
  }
  const int rounds = argc == 3 && std::string(argv[1]) == "--rounds" ? std::atoi(argv[2]) : 51;
  const std::vector<Case> all = cases();
  std::vector<Times> times(all.size());
  std::vector<Stream> streams;
  for (const Case& each : all) streams.emplace_back(each.model);
  for (int round = 0; round < rounds; ++round) {
    for (std::size_t i = 0; i < all.size(); ++i) {
      Tensor x(all[i].model.input_shape()->batched(1));
      Rng(1).fill_uniform(x, -1, 1);
      const std::vector<Real> numbers(x.begin(), x.end());
      std::vector<Real> y(static_cast<std::size_t>(steps * streams[i].output_size()));
      times[i].single.push_back(time_of(streams[i], numbers, y, 1));
      times[i].block.push_back(time_of(streams[i], numbers, y, 64));
      const double begin = now();
      all[i].model.predict(x);
      times[i].whole.push_back((now() - begin) / static_cast<double>(steps));
    }
  }
  std::printf("%-16s %12s %12s %12s   ns per step\n", "model", "single", "blocks of 64", "predict");
  for (std::size_t i = 0; i < all.size(); ++i) {
    std::printf("%-16s %12.0f %12.0f %12.0f\n", all[i].name.c_str(), quantile(times[i].single, 0.5),
                quantile(times[i].block, 0.5), quantile(times[i].whole, 0.5));
  }
}
