// Streams: nanoseconds per time step, one step at a time and in blocks of 64, next to `predict` on a whole sequence.
//
//   streams [--rounds N] [--headers "g++ -O3 -march=native"]
//       Medians of N rounds in which the models and the ways to run them take turns. --headers: also the headers that
//       export_cpp writes, compiled by this command.
//   streams --jitter STEPS
//       Single steps with a pause after each 64, as on an audio thread: the median and the 99.9th percentile. In turns
//       with the steps, a piece of arithmetic of about the same length that reads no memory: what the machine itself
//       does after a pause.

#include <cornu/cornu.h>
#include <dlfcn.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

using namespace cornu;

namespace {

double now() {
  return std::chrono::duration<double, std::nano>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

double quantile(std::vector<double> times, double fraction) {
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

using Loop = void (*)(const Real* x, long steps, Real* y);

/// The models as headers, compiled by a command: for each, a loop over steps.
std::vector<Loop> compiled_headers(const std::vector<Case>& all, const std::string& command) {
  const std::filesystem::path folder =
      std::filesystem::temp_directory_path() / ("cornu_streams_" + std::to_string(static_cast<long>(now())));
  std::filesystem::create_directory(folder);
  std::ofstream source(folder / "loops.cpp");
  for (std::size_t i = 0; i < all.size(); ++i) {
    const std::string name = "model_" + std::to_string(i);
    all[i].model.export_cpp((folder / (name + ".h")).string(), {.name = name, .streaming = true});
    source << "#include \"" << name << ".h\"\nextern \"C\" void loop_" << i
           << "(const float* x, long steps, float* y) {\n  static " << name << "::Stream stream;\n"
           << "  for (long i = 0; i < steps; ++i) stream.step(x + i * " << name << "::input_size, y + i * " << name
           << "::output_size);\n}\n";
  }
  source.close();
  const std::string library = (folder / "loops.so").string(), line = command + " -std=c++17 -shared -fPIC -o '" +
                                                                     library + "' '" + (folder / "loops.cpp").string() +
                                                                     "'";
  void* const handle = std::system(line.c_str()) == 0 ? dlopen(library.c_str(), RTLD_NOW) : nullptr;
  std::filesystem::remove_all(folder);
  if (handle == nullptr) {
    std::fprintf(stderr, "streams: the headers were not compiled by: %s\n", line.c_str());
    std::exit(1);
  }
  std::vector<Loop> loops;
  for (std::size_t i = 0; i < all.size(); ++i) {
    loops.push_back(reinterpret_cast<Loop>(dlsym(handle, ("loop_" + std::to_string(i)).c_str())));
  }
  return loops;
}

struct Times {
  std::vector<double> single, block, whole, header;
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

void compare(int rounds, const std::string& compiler) {
  const std::vector<Case> all = cases();
  if (!compiler.empty() && sizeof(Real) != sizeof(float)) {
    std::fprintf(stderr, "streams: --headers requires a build with Real = float\n");
    std::exit(1);
  }
  const std::vector<Loop> headers = compiler.empty() ? std::vector<Loop>() : compiled_headers(all, compiler);
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
      double begin = now();
      all[i].model.predict(x);
      times[i].whole.push_back((now() - begin) / static_cast<double>(steps));
      if (headers.empty()) continue;
      begin = now();
      headers[i](numbers.data(), steps, y.data());
      times[i].header.push_back((now() - begin) / static_cast<double>(steps));
    }
  }
  std::printf("%-16s %8s %14s %8s %16s %8s   ns per step, medians of %d rounds\n", "model", "single", "blocks of 64",
              "predict", "single/predict", "header", rounds);
  for (std::size_t i = 0; i < all.size(); ++i) {
    const double single = quantile(times[i].single, 0.5), whole = quantile(times[i].whole, 0.5);
    std::printf("%-16s %8.0f %14.0f %8.0f %16.2f", all[i].name.c_str(), single, quantile(times[i].block, 0.5), whole,
                single / whole);
    headers.empty() ? std::printf(" %8s\n", "-") : std::printf(" %8.0f\n", quantile(times[i].header, 0.5));
  }
}

/// Dependent multiply-adds in registers.
double arithmetic(Index count, double x) {
  for (Index i = 0; i < count; ++i) x = x * 0.999 + 0.001;
  return x;
}

void jitter(Index count) {
  std::printf("%-16s %10s %10s %7s %14s %10s %7s\n", "model", "median ns", "99.9 %", "ratio", "arithmetic ns", "99.9 %",
              "ratio");
  for (const Case& each : cases()) {
    Stream stream(each.model);
    std::vector<Real> x(static_cast<std::size_t>(stream.input_size()), Real(0.1)),
        y(static_cast<std::size_t>(stream.output_size()));
    volatile double sum = 0;
    // The arithmetic takes about as long as a step.
    double begin = 0, step = 1e9;
    for (int i = 0; i < 20; ++i) {
      begin = now();
      for (int k = 0; k < 100; ++k) stream.step(x, y);
      step = std::min(step, (now() - begin) / 100);
    }
    double of_one = step;
    for (int i = 0; i < 20; ++i) {
      begin = now();
      sum = arithmetic(10'000, sum);
      of_one = std::min(of_one, (now() - begin) / 1e4);
    }
    const auto length = std::max(Index{1}, static_cast<Index>(step / of_one));
    std::vector<double> times(static_cast<std::size_t>(count)), others(times);
    for (Index i = 0; i < count; ++i) {
      // The first after a pause alternates.
      for (int turn = 0; turn < 2; ++turn) {
        const bool is_step = (turn == 0) == (i / 64 % 2 == 0);
        begin = now();
        if (is_step) {
          stream.step(x, y);
        } else {
          sum = arithmetic(length, sum);
        }
        (is_step ? times : others)[static_cast<std::size_t>(i)] = now() - begin;
      }
      if (i % 64 == 63) std::this_thread::sleep_for(std::chrono::microseconds(200));
    }
    const double median = quantile(times, 0.5), late = quantile(times, 0.999), other_median = quantile(others, 0.5),
                 other_late = quantile(others, 0.999);
    std::printf("%-16s %10.0f %10.0f %7.2f %14.0f %10.0f %7.2f\n", each.name.c_str(), median, late, late / median,
                other_median, other_late, other_late / other_median);
  }
}

}  // namespace

int main(int argc, char** argv) {
  int rounds = 51;
  std::string compiler;
  for (int i = 1; i < argc; i += 2) {
    const std::string option = argv[i];
    if (i + 1 < argc && option == "--rounds") {
      rounds = std::max(1, std::atoi(argv[i + 1]));
    } else if (i + 1 < argc && option == "--headers") {
      compiler = argv[i + 1];
    } else if (argc == 3 && option == "--jitter") {
      jitter(std::max(1L, std::atol(argv[i + 1])));
      return 0;
    } else {
      std::fprintf(stderr, "streams [--rounds N] [--headers COMMAND] | --jitter STEPS\n");
      return 1;
    }
  }
  compare(rounds, compiler);
}
