#pragma once

#include <gtest/gtest.h>
#include <sys/wait.h>

#include <array>
#include <cstdlib>
#include <fstream>
#include <regex>
#include <sstream>
#include <string>
#include <vector>

#include "cornu/cornu.h"
#include "cornu/tests/support/bytes.h"
#include "cornu/tests/support/temporary_folder.h"
#ifdef CORNU_HAS_ONNX
#include "cornu/tests/onnx/export.h"
#endif

/// Fixture for tests that run the program in a temporary folder and check its output.
namespace cornu::tool {

struct Result {
  int status = 0;
  std::string out, err;
};

class ToolTest : public ::testing::Test {
 protected:
#ifdef CORNU_HAS_ONNX
  /// Checks the names in every ONNX file that Cornu wrote.
  void TearDown() override {
    for (const std::string& name : folder.names()) {
      if (!name.ends_with(".onnx")) continue;
      const std::string bytes = read(name);
      try {
        if (onnx::detail::read_model(bytes, name).producer != "cornu") continue;
      } catch (const FormatError&) {
        continue;
      }
      testing::expect_well_named(bytes);
    }
  }
#endif

  /// Runs a shell command in the folder; `$cornu` is the program.
  Result shell(const std::string& command) const {
    const std::string whole =
        "cd '" + folder.path().string() + "' && cornu=" CORNU_TOOL " && { " + command + "\n} >.out 2>.err </dev/null";
    const int status = std::system(whole.c_str());
    return {WIFEXITED(status) ? WEXITSTATUS(status) : -1, read(".out"), read(".err")};
  }
  Result cornu(const std::string& arguments) const {
    const Result result = shell("\"$cornu\" " + arguments);
    static const std::regex code(
        R"([ (]\.(header|delimiter|decimal|thousands|units|missing|missing_values|unknown|names|categorical)\b)"
        R"(|CsvOptions|Names::|(onnx|keras|datasets|cornu::detail|std|CLI|Tensor)::|Sequential::(?!set_csv)|basic_string|bad_alloc)"
        R"(|load_weights|read_idx|read_csv|run_exact|write_npy|write_npz|NpzFile|NpyFile|SafetensorsFile|PyTorchFile)"
        R"(|graph_layer|GraphLayer|size_limit|pass_memory|\bwhat\(\)|terminate|[^a-zA-Z]_ZN?[0-9])");
    EXPECT_FALSE(std::regex_search(result.err, code)) << "a name of the library, not of the program: " << result.err;
    return result;
  }

  /// Returns standard output. The test fails on an error status or output on standard error.
  std::string output(const std::string& arguments) const {
    const Result result = cornu(arguments);
    EXPECT_EQ(result.status, 0) << arguments;
    EXPECT_EQ(result.err, "") << arguments;
    return result.out;
  }
  /// Expects an error message and no output.
  void expect_failure(const std::string& arguments, const std::string& error, int status = 1) const {
    const Result result = cornu(arguments);
    EXPECT_EQ(result.status, status) << arguments;
    EXPECT_EQ(result.out, "") << arguments;
    EXPECT_EQ(result.err, "cornu: " + error + "\n") << arguments;
  }

  std::string path(const std::string& name) const { return (folder / name).string(); }
  std::string read(const std::string& name) const { return testing::content(folder / name); }
  void write(const std::string& name, const std::string& bytes) const {
    std::ofstream(folder / name, std::ios::binary) << bytes;
  }

  testing::TemporaryFolder folder;
};

/// Images of 4 x 6 pixels in three classes, and a model trained on them.
struct SmallModel {
  static constexpr Index samples = 7;
  std::vector<std::uint8_t> pixels, labels;
  ImageDataset data;
  Sequential model;

  SmallModel() : model({Input{4, 6}, Flatten{}, Dense{5, relu}, Dense{3, softmax}}, {.name = "small", .seed = 3}) {
    for (Index i = 0; i < samples * 24; ++i) pixels.push_back(static_cast<std::uint8_t>(i * 37 % 256));
    for (Index i = 0; i < samples; ++i) labels.push_back(static_cast<std::uint8_t>(i % 3));
    data = ImageDataset(pixels, labels, {.shape{4, 6}, .classes = 3});
    model.compile({.optimizer = SGD{.learning_rate = 0.5, .momentum = 0.5},
                   .loss = SparseCategoricalCrossentropy{},
                   .metrics = {Accuracy{}}});
    model.fit(data, {.epochs = 3, .verbose = Verbose::silent});
  }

  IdxArray images() const { return {.dimensions{samples, 4, 6}, .data = pixels}; }
  /// One image as a batch of one: the last bits of a product depend on the number of rows.
  Tensor sample(Index row) const {
    Tensor x(Shape{1, 4, 6}), y(Shape{1});
    data.gather(std::array{row}, x, y);
    return x;
  }
  Tensor outputs() const { return model.predict(data); }
};

/// Parses the numbers in the lines of a table.
inline std::vector<std::vector<Real>> numbers_of(const std::string& lines) {
  std::vector<std::vector<Real>> rows;
  std::istringstream text(lines);
  for (std::string line, cell; std::getline(text, line);) {
    std::istringstream cells(line);
    for (rows.emplace_back(); std::getline(cells, cell, ',');) rows.back().push_back(std::stof(cell));
  }
  return rows;
}

inline void expect_rows(const std::string& lines, const Tensor& expected, Real tolerance = 0) {
  const auto rows = numbers_of(lines);
  ASSERT_EQ(std::ssize(rows), expected.shape()[0]);
  for (std::size_t i = 0; i < rows.size(); ++i) {
    ASSERT_EQ(std::ssize(rows[i]), expected.shape()[1]);
    for (std::size_t j = 0; j < rows[i].size(); ++j) {
      EXPECT_NEAR(rows[i][j], expected.at({static_cast<Index>(i), static_cast<Index>(j)}), tolerance) << i << ' ' << j;
    }
  }
}

}  // namespace cornu::tool
