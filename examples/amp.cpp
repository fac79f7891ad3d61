// An audio effect, learned: a small network listens to a clean signal and to what an overdriven amplifier makes of it,
// and then plays in real time, 64 samples at a time. Sound and amplifier are formulas; the program writes the clean
// signal, the amplifier's and the network's as WAV files.
#include <cornu/cornu.h>
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <fstream>
#include <iostream>
#include <numbers>
#include <string>
#include <vector>

using namespace cornu;

constexpr double sample_rate = 48'000;
constexpr Index steps = 1024;  // of a training sequence

using Signal = std::vector<Real>;

/// Plucked strings: each note is a sum of harmonics that decay, the higher ones faster.
Signal plucked_strings(double seconds, std::uint64_t seed) {
  Signal signal(static_cast<std::size_t>(seconds * sample_rate));
  Rng rng(seed);
  for (double begin = 0; begin < seconds; begin += 0.25) {
    const double pitch = 82.4 * std::pow(2, std::floor(rng.uniform() * 30) / 12), loudness = 0.2 + 0.5 * rng.uniform();
    const auto first = static_cast<std::size_t>(begin * sample_rate);
    for (std::size_t i = first; i < std::min(signal.size(), first + 48'000); ++i) {
      const double t = static_cast<double>(i - first) / sample_rate;
      double value = 0;
      for (int k = 1; k <= 6; ++k) value += std::exp(-3.0 * k * t) * std::sin(2 * std::numbers::pi * k * pitch * t) / k;
      signal[i] += static_cast<Real>(loudness * value);
    }
  }
  return signal;
}

/// The amplifier: a high-pass filter, a stage that saturates more above zero than below, and a low-pass filter.
Signal amplified(const Signal& x) {
  Signal y(x.size());
  double low = 0, smooth = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    low += 0.02 * (static_cast<double>(x[i]) - low);
    const double driven = 6 * (static_cast<double>(x[i]) - low);
    smooth += 0.4 * ((driven > 0 ? std::tanh(driven) : std::tanh(0.7 * driven) / 0.7) - smooth);
    y[i] = static_cast<Real>(0.5 * smooth);
  }
  return y;
}

/// The signal in sequences: (sequences, steps, 1).
Tensor sequences(const Signal& signal) {
  Tensor result({static_cast<Index>(signal.size()) / steps, steps, 1});
  std::copy_n(signal.begin(), result.size(), result.begin());
  return result;
}

/// A sound file of 16-bit samples, one channel.
void write_wav(const std::string& path, const Signal& signal) {
  std::string bytes;
  const auto put = [&](std::uint32_t number, int size) {
    for (int i = 0; i < size; ++i) bytes += static_cast<char>(number >> (8 * i) & 255U);
  };
  const auto length = static_cast<std::uint32_t>(2 * signal.size()), rate = static_cast<std::uint32_t>(sample_rate);
  bytes += "RIFF";
  put(36 + length, 4);
  bytes += "WAVEfmt ";
  put(16, 4);
  put(1, 2);  // PCM
  put(1, 2);  // channels
  put(rate, 4);
  put(2 * rate, 4);
  put(2, 2);
  put(16, 2);
  bytes += "data";
  put(length, 4);
  for (const Real each : signal) {
    put(static_cast<std::uint32_t>(std::lround(32767 * std::min(std::max(each, Real{-1}), Real{1}))), 2);
  }
  if (!(std::ofstream(path, std::ios::binary) << bytes)) throw FileError("cannot write " + path);
}

/// The energy of the error, relative to that of the signal.
double error_to_signal(const Signal& expected, const Signal& found) {
  double error = 0, energy = 0;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    error += std::pow(static_cast<double>(expected[i] - found[i]), 2);
    energy += std::pow(static_cast<double>(expected[i]), 2);
  }
  return error / energy;
}

Sequential lstm() { return {Input{steps, 1}, Residual{LSTM{.units = 20, .return_sequences = true}, Dense{1}}}; }

/// Causal convolutions that look back 255 samples.
Sequential wavenet() {
  Sequential model{Input{steps, 1}, Dense{12}};
  for (const Index dilation : {1, 2, 4, 8, 16, 32, 64}) {
    model.add(Residual{Conv1D{
        .filters = 12, .kernel_size = 3, .padding = Padding::causal, .dilation_rate = dilation, .activation = tanh}});
  }
  model.add(Dense{1});
  return model;
}

int main(int argc, char** argv) {
  double seconds = 20;
  Index epochs = 30;
  std::string kind = "lstm", folder;
  CLI::App app{"Learns an amplifier from sound, and plays it in real time"};
  app.add_option("--model", kind, "lstm or wavenet")->check(CLI::IsMember({"lstm", "wavenet"}))->capture_default_str();
  app.add_option("--seconds", seconds, "length of the training sound")->capture_default_str();
  app.add_option("--epochs", epochs, "passes over the training sound")->capture_default_str();
  app.add_option("--out", folder, "folder for clean.wav, amplifier.wav and network.wav");
  CLI11_PARSE(app, argc, argv);

  const Signal clean = plucked_strings(seconds, 1), driven = amplified(clean);
  Sequential model = kind == "lstm" ? lstm() : wavenet();
  model.compile({.optimizer = Adam{.learning_rate = 0.005, .clipnorm = 1}, .loss = MeanSquaredError{}});
  model.summary();
  model.fit(sequences(clean), sequences(driven), {.batch_size = 16, .epochs = epochs});

  // Another sound, as a sound card delivers it.
  constexpr std::size_t block = 64;
  const Signal input = plucked_strings(std::min(seconds, 5.0), 2), expected = amplified(input);
  Signal output(input.size());
  Stream stream(model);
  const auto begin = std::chrono::steady_clock::now();
  for (std::size_t i = 0; i < input.size(); i += block) {
    const std::size_t n = std::min(block, input.size() - i);
    stream.step(std::span(input).subspan(i, n), std::span(output).subspan(i, n));
  }
  const double needed = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count(),
               played = static_cast<double>(input.size()) / sample_rate;

  const double ratio = error_to_signal(expected, output), of_clean = error_to_signal(expected, input);
  std::cout << fmt::format("error to signal: {:.4f}; of the clean signal: {:.2f}\n", ratio, of_clean);
  std::cout << fmt::format("{:.1f} s of sound in {:.3f} s: {:.0f} times real time\n", played, needed, played / needed);
  if (!folder.empty()) {
    write_wav(folder + "/clean.wav", input);
    write_wav(folder + "/amplifier.wav", expected);
    write_wav(folder + "/network.wav", output);
  }
  return ratio < of_clean ? 0 : 1;
}
