#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <sstream>

#include "cornu/core/error.h"
#include "cornu/onnx/model.h"
#include "cornu/onnx/reader.h"
#include "cornu/tests/support/bytes.h"
#include "cornu/tests/support/paths.h"

/// ONNX's own model tests, from Debian's libonnx-testdata: each has a model, inputs, and the expected outputs.
namespace cornu {
namespace {

namespace fs = std::filesystem;

constexpr const char* data = "/usr/share/libonnx-testdata/data";

/// type: of the graph's input or output.
onnx::Array array_of(const fs::path& file, const std::string& type) {
  onnx::detail::TensorMessage tensor = onnx::detail::read_tensor(testing::content(file), file.filename().string());
  if (type == "bfloat16" && tensor.elements.type == onnx::detail::ElementType::uint16) {  // NumPy has no bfloat16
    Tensor numbers(tensor.elements.shape);
    std::transform(tensor.elements.integers.begin(), tensor.elements.integers.end(), numbers.begin(), [](Index bits) {
      return static_cast<Real>(detail::from_bfloat16(static_cast<std::uint16_t>(bits)));
    });
    return numbers;
  }
  if (tensor.elements.kind() == onnx::detail::Kind::real) return std::move(tensor.elements.real);
  return onnx::Integers{tensor.elements.shape, {tensor.elements.integers.begin(), tensor.elements.integers.end()}};
}

/// The largest |a - b| / max(1, |b|); infinite if the shapes differ.
double difference(const Tensor& a, const Tensor& b) {
  if (a.shape() != b.shape()) return INFINITY;
  double largest = 0;
  for (Index i = 0; i < a.size(); ++i) {
    const auto x = static_cast<double>(a[i]), y = static_cast<double>(b[i]);
    if (x == y || (std::isnan(x) && std::isnan(y))) continue;
    const double d = std::abs(x - y) / std::max(1.0, std::abs(y));
    largest = d <= largest ? largest : d;  // also stores a NaN
  }
  return largest;
}

/// Whole numbers and booleans must be the same ones.
double difference(const onnx::Array& a, const onnx::Array& b) {
  if (a.index() != b.index()) return INFINITY;
  if (const auto* const real = std::get_if<Tensor>(&a)) return difference(*real, std::get<Tensor>(b));
  return a == b ? 0 : INFINITY;
}

/// Why the test in this folder fails, or "".
std::string failure_of(const fs::path& folder, double tolerance) {
  try {
    const onnx::Model model = onnx::load(folder / "model.onnx");
    for (int set = 0; fs::exists(folder / ("test_data_set_" + std::to_string(set))); ++set) {
      const fs::path files = folder / ("test_data_set_" + std::to_string(set));
      std::map<std::string, onnx::Array> inputs;
      for (std::size_t i = 0; i < model.inputs().size(); ++i) {
        inputs.emplace(model.inputs()[i].name,
                       array_of(files / ("input_" + std::to_string(i) + ".pb"), model.inputs()[i].type));
      }
      const std::map<std::string, onnx::Array> outputs = model.run_exact(inputs);
      for (std::size_t i = 0; i < model.outputs().size(); ++i) {
        const double d = difference(outputs.at(model.outputs()[i].name),
                                    array_of(files / ("output_" + std::to_string(i) + ".pb"), model.outputs()[i].type));
        if (!(d <= tolerance)) return message("output {} differs by {}", i, d);
      }
    }
    return "";
  } catch (const Error& error) {
    return error.what();
  }
}

/// tests/onnx/skipped.txt: failing tests and unsupported ops, each with its reason, and tests with another tolerance.
struct Skipped {
  std::map<std::string, std::string> tests;
  std::set<std::string> ops;
  std::map<std::string, double> tolerances;
};

Skipped read_skipped() {
  Skipped result;
  std::ifstream file(testing::source_path("tests/onnx/skipped.txt"));
  EXPECT_TRUE(file) << "tests/onnx/skipped.txt is missing";
  for (std::string line; std::getline(file, line);) {
    std::istringstream words(line);
    std::string name, reason;
    words >> name;
    if (name.empty() || name[0] == '#') continue;
    if (name == "ops") {
      while (words >> name) result.ops.insert(name);
      continue;
    }
    if (name == "tolerance") {
      double tolerance = 0;
      words >> name >> tolerance;
      result.tolerances[name] = tolerance;
    }
    const bool is_tolerance = result.tolerances.contains(name);
    std::getline(words >> std::ws, reason);
    EXPECT_FALSE(reason.empty()) << name << " is skipped without a reason";
    if (is_tolerance) continue;
    EXPECT_TRUE(result.tests.emplace(name, reason).second) << name << " is listed twice";
  }
  return result;
}

/// The unsupported ops listed by the error; none for any other error.
std::vector<std::string> missing_ops(const std::string& failure) {
  const std::string text = "ops that Cornu does not have: ";
  std::vector<std::string> result;
  const std::size_t found = failure.find(text);
  for (std::size_t at = found == std::string::npos ? found : found + text.size(); at < failure.size();) {
    result.push_back(failure.substr(at, failure.find(" (", at) - at));
    at = failure.find("), ", at);
    if (at != std::string::npos) at += 3;
  }
  return result;
}

TEST(OnnxTestData, EveryTestPassesOrIsListedWithItsReason) {
  if (!fs::exists(data)) GTEST_SKIP() << data << " does not exist (install libonnx-testdata)";
  Skipped skipped = read_skipped();
  std::set<std::string> unused_ops = skipped.ops;
  int passed = 0, count = 0;
  for (const char* group : {"node", "pytorch-converted", "pytorch-operator", "simple"}) {
    for (const auto& entry : fs::directory_iterator(fs::path(data) / group)) {
      if (!fs::exists(entry.path() / "model.onnx")) continue;
      const std::string name = std::string(group) + "/" + entry.path().filename().string();
      ++count;
      const auto own = skipped.tolerances.find(name);
      const std::string failure = failure_of(entry.path(), own == skipped.tolerances.end() ? 1e-5 : own->second);
      const std::vector<std::string> ops = missing_ops(failure);
      for (const std::string& op : ops) {
        EXPECT_EQ(skipped.ops.count(op), 1U) << op << " is not in tests/onnx/skipped.txt: " << failure;
        unused_ops.erase(op);
      }
      if (!ops.empty()) continue;
      const bool listed = skipped.tests.erase(name) != 0;
      if (failure.empty()) {
        ++passed;
        EXPECT_FALSE(listed) << name << " passes: it need not be in tests/onnx/skipped.txt any more";
      } else {
        EXPECT_TRUE(listed) << name << ": " << failure;
      }
    }
  }
  for (const auto& [name, reason] : skipped.tests) ADD_FAILURE() << name << " is listed, and is no test";
  for (const std::string& op : unused_ops)
    ADD_FAILURE() << "the op " << op << " is listed, and no test was refused for it";
  EXPECT_EQ(count, 1072);
  RecordProperty("passed", passed);
  std::printf("%d of %d pass\n", passed, count);
}

/// Runs the tests in the folder CORNU_ONNX_TESTS: those that random_graphs.py writes, or of another release of ONNX.
TEST(OnnxTestData, FoldersOfTheEnvironmentPass) {
  const char* const folder = std::getenv("CORNU_ONNX_TESTS");
  if (folder == nullptr) GTEST_SKIP() << "CORNU_ONNX_TESTS is not set (tests/onnx/random_graphs.py sets it)";
  int count = 0;
  for (const auto& entry : fs::directory_iterator(folder)) {
    if (!fs::exists(entry.path() / "model.onnx")) continue;
    ++count;
    const std::string failure = failure_of(entry.path(), 1e-5);
    EXPECT_EQ(failure, "") << "deviates: " << entry.path().filename().string() << ": " << failure;
  }
  EXPECT_GT(count, 0);
}

}  // namespace
}  // namespace cornu
