#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <fstream>
#include <string>
#include <vector>

#include "cornu/tests/models/export_cpp/compiling.h"
#include "cornu/tests/models/streaming/models.h"
#include "cornu/tests/support/expect_error.h"
#include "cornu/tests/support/temporary_folder.h"

namespace cornu {
namespace {

using testing::compiler_flags;
using testing::expect_error;
using testing::stream_cases;
using testing::StreamCase;
using testing::TemporaryFolder;
using testing::write_text;

/// Runs each header's stream over its input, again after a reset, and from a state that was stored on the way.
constexpr const char* stream_main = R"(
#include <cstdio>
#include <cstring>
#include <string>
#include <vector>
template <class Stream>
int run(const char* name, std::size_t in_size, std::size_t out_size, std::size_t state_size) {
  std::vector<float> x(1000000), y;
  std::FILE* in = std::fopen((name + std::string(".in")).c_str(), "rb");
  x.resize(std::fread(x.data(), sizeof(float), x.size(), in));
  std::fclose(in);
  const std::size_t steps = x.size() / in_size;
  static Stream stream;
  std::vector<float> state(state_size);
  for (int round = 0; round < 3; ++round) {
    std::vector<float> again(steps * out_size);
    if (round == 1) stream.reset();
    if (round == 2) std::memcpy(stream.state, state.data(), state_size * sizeof(float));
    for (std::size_t i = round == 2 ? steps / 2 : 0; i < steps; ++i) {
      if (round == 0 && i == steps / 2) std::memcpy(state.data(), stream.state, state_size * sizeof(float));
      stream.step(x.data() + i * in_size, again.data() + i * out_size);
    }
    if (round == 0) y = again;
    for (std::size_t i = round == 2 ? steps / 2 * out_size : 0; i < y.size(); ++i) {
      if (std::memcmp(&again[i], &y[i], sizeof(float)) != 0) return 1;
    }
  }
  std::FILE* out = std::fopen((name + std::string(".out")).c_str(), "wb");
  std::fwrite(y.data(), sizeof(float), y.size(), out);
  return std::fclose(out);
}
)";

struct Exported {
  std::string name;
  Sequential model;
  bool int8_weights = false;
};

void expect_streams_agree(const std::vector<Exported>& cases, const std::string& compiler) {
  SCOPED_TRACE(compiler);
  const TemporaryFolder folder;
  std::string includes, calls;
  for (const Exported& each : cases) {
    each.model.export_cpp((folder.path() / (each.name + ".h")).string(),
                          {.name = each.name, .int8_weights = each.int8_weights, .streaming = true});
    includes += "#include \"" + each.name + ".h\"\n";
    calls += "  if (run<" + each.name + "::Stream>(\"" + each.name + "\", " + each.name + "::input_size, " + each.name +
             "::output_size, " + each.name + "::state_size) != 0) return 1;\n";
    const Tensor x = testing::sequence_for(each.model, 11);
    const std::vector<float> numbers(x.begin(), x.end());
    write_text(folder.path() / (each.name + ".in"),
               {reinterpret_cast<const char*>(numbers.data()), numbers.size() * 4});
  }
  write_text(folder.path() / "main.cpp", includes + stream_main + "int main() {\n" + calls + "}\n");
  const std::string command =
      "cd '" + folder.path().string() + "' && " + compiler + compiler_flags + "-std=c++17 main.cpp -o main && ./main";
  ASSERT_EQ(std::system(command.c_str()), 0);
  for (const Exported& each : cases) {
    SCOPED_TRACE(each.name);
    const Tensor x = testing::sequence_for(each.model, 11);
    Stream stream(each.model);
    std::vector<Real> expected(static_cast<std::size_t>(x.size() / stream.input_size() * stream.output_size()));
    stream.step(std::span<const Real>(x.data(), static_cast<std::size_t>(x.size())), expected);
    std::vector<float> found(expected.size());
    std::ifstream(folder.path() / (each.name + ".out"), std::ios::binary)
        .read(reinterpret_cast<char*>(found.data()), static_cast<std::streamsize>(found.size() * 4));
    double largest = 1, difference = 0;
    for (std::size_t i = 0; i < expected.size(); ++i) {
      largest = std::max(largest, std::abs(static_cast<double>(expected[i])));
      difference = std::max(difference, std::abs(static_cast<double>(expected[i]) - static_cast<double>(found[i])));
    }
    EXPECT_LE(difference / largest, each.int8_weights ? 0.05 : 1e-6);
    EXPECT_EQ(difference > 1e-5, each.int8_weights) << "int8 weights are less exact than floats";
  }
}

TEST(ExportedStream, AgreesWithTheStreamOfEveryModel) {
  std::vector<Exported> cases;
  for (const StreamCase& each : stream_cases()) {
    cases.push_back({each.name, each.model, false});
    if (each.name == "lstm" || each.name == "gru" || each.name == "wavenet") {
      cases.push_back({each.name + "_int8", each.model, true});
    }
  }
  for (const std::string& compiler : testing::compilers()) expect_streams_agree(cases, compiler);
}

TEST(ExportedStream, SaysWhatItNeeds) {
  const Sequential model{Input{8, 1}, LSTM{.units = 4, .return_sequences = true}, Dense{1}};
  const std::string text = to_cpp(model, {.streaming = true});
  EXPECT_NE(text.find("State: 32 bytes. Workspace: "), std::string::npos) << text.substr(0, 600);
  EXPECT_NE(text.find("input_size = 1, output_size = 1, state_size = 8;"), std::string::npos);
  EXPECT_EQ(text.find("predict"), std::string::npos);
}

TEST(ExportedStream, RefusesWhatCannotStream) {
  const auto refused = [](const Sequential& model, const ExportCppOptions& options, const std::string& text) {
    expect_error<ValueError>([&] { to_cpp(model, options); }, "export_cpp: " + text);
  };
  const Sequential flat{Input{6, 4}, Flatten{}, Dense{2}};
  refused(flat, {.streaming = true},
          "flatten: the op reshape merges the steps with another axis, or divides them: (6, 4) to (24,)");
  refused(flat, {.trainable = true, .streaming = true}, "a header cannot be trainable and stream");
  refused({Input{6, 4}, Dense{2}}, {.streaming = true, .attention_window = -1},
          "ExportCppOptions: attention_window is -1; it must not be negative");
}

}  // namespace
}  // namespace cornu
