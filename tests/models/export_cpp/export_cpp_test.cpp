#include "cornu/models/export_cpp/export_cpp.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <fstream>
#include <limits>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "cornu/core/autodiff/operand.h"
#include "cornu/core/text/printable.h"
#include "cornu/layers/attention/multi_head_attention.h"
#include "cornu/layers/convolutional/conv2d.h"
#include "cornu/layers/inputs.h"
#include "cornu/layers/merging/concatenate.h"
#include "cornu/layers/merging/residual.h"
#include "cornu/layers/normalization/batch_normalization.h"
#include "cornu/layers/normalization/layer_normalization.h"
#include "cornu/layers/reshaping/reshape.h"
#include "cornu/layers/rnn/lstm.h"
#include "cornu/models/export_cpp/rows.h"
#include "cornu/tests/models/export_cpp/cases.h"
#include "cornu/tests/models/export_cpp/compiling.h"
#include "cornu/tests/models/support.h"
#include "cornu/tests/support/expect_error.h"
#include "cornu/tests/support/paths.h"
#include "cornu/tests/support/random_graph.h"
#include "cornu/tests/support/registered.h"
#include "cornu/tests/support/run_trace.h"
#include "cornu/tests/support/temporary_folder.h"

namespace cornu {
namespace {

using testing::compiler_flags;
using testing::compilers;
using testing::expect_error;
using testing::export_cpp_cases;
using testing::ExportCppCase;
using testing::TemporaryFolder;
using testing::write_text;

/// Sources of a program that reads the samples of each case and writes its predictor's outputs. One file includes all
/// predictors; a second file includes one of them again, as in a program of several files.
std::string predictors(const std::vector<ExportCppCase>& cases) {
  std::string includes, table;
  for (const ExportCppCase& each : cases) {
    includes += "#include \"" + each.name + ".h\"\n";
    table += "  {\"" + each.name + "\", " + each.name + "::input_size, " + each.name +
             "::output_size, [](const float* x, " + "float* y) { static " + each.name + "::Workspace workspace; " +
             each.name + "::predict(x, y, workspace); }, " + each.name +
             "::predict, [](const float* x, float* y, std::size_t n) { static " + each.name +
             "::Workspace workspace; " + each.name + "::predict(x, y, n, workspace); }},\n";
  }
  return includes + "#include \"net.h\"\nconst Net nets[] = {\n" + table +
         "};\nconst std::size_t net_count = " + std::to_string(cases.size()) + ";\n";
}

constexpr const char* net_text = R"(
#include <cstddef>
struct Net {
  const char* name;
  std::size_t input_size, output_size;
  void (*predict)(const float*, float*);
  void (*predict_on_stack)(const float*, float*);
  void (*predict_batch)(const float*, float*, std::size_t);
};
extern const Net nets[];
extern const std::size_t net_count;
void (*in_another_file())(const float*, float*);
)";

constexpr const char* main_text =
    "#include \"net.h\""
    R"(
#include <cstdio>
#include <string>
#include <vector>
int main() {
  if (nets[0].predict_on_stack != in_another_file()) return 2;
  for (std::size_t n = 0; n < net_count; ++n) {
    const std::size_t in_size = nets[n].input_size, out_size = nets[n].output_size;
    std::vector<float> inputs, output(out_size), same(out_size), outputs;
    std::FILE* in = std::fopen((nets[n].name + std::string(".in")).c_str(), "rb");
    std::FILE* out = std::fopen((nets[n].name + std::string(".out")).c_str(), "wb");
    std::vector<float> input(in_size);
    while (std::fread(input.data(), sizeof(float), in_size, in) == in_size) {
      nets[n].predict(input.data(), output.data());
      nets[n].predict_on_stack(input.data(), same.data());
      if (output != same) return 1;
      std::fwrite(output.data(), sizeof(float), out_size, out);
      inputs.insert(inputs.end(), input.begin(), input.end());
      outputs.insert(outputs.end(), output.begin(), output.end());
    }
    std::vector<float> together(outputs.size());
    nets[n].predict_batch(inputs.data(), together.data(), inputs.size() / in_size);
    if (together != outputs) return 4;
    if (std::fclose(in) + std::fclose(out) != 0) return 3;
  }
}
)";

double largest_difference(const Tensor& a, const Tensor& b) {
  double largest = 0;
  for (Index i = 0; i < a.size(); ++i) largest = std::max(largest, std::abs(static_cast<double>(a[i] - b[i])));
  return largest;
}

/// The values that the program wrote.
Tensor written_outputs(const std::filesystem::path& path, const Shape& shape) {
  std::vector<float> numbers(static_cast<std::size_t>(shape.size()));
  std::ifstream(path, std::ios::binary)
      .read(reinterpret_cast<char*>(numbers.data()), static_cast<std::streamsize>(numbers.size() * 4));
  Tensor result(shape);
  std::copy(numbers.begin(), numbers.end(), result.begin());
  return result;
}

void expect_agreement(const std::filesystem::path& folder, const ExportCppCase& each) {
  SCOPED_TRACE(each.name);
  const Tensor expected = each.model.predict(each.x),
               found = written_outputs(folder / (each.name + ".out"), expected.shape());
  double largest = 1;
  for (const Real y : expected) largest = std::max(largest, static_cast<double>(std::abs(y)));
  const double difference = largest_difference(found, expected) / largest;
  EXPECT_LE(difference, each.int8_weights ? 0.05 : 1e-5);
  EXPECT_EQ(difference > 1e-5, each.int8_weights) << "int8 weights are less exact than floats";
}

/// The undefined symbols of an object file.
std::vector<std::string> undefined_names(const std::filesystem::path& folder) {
  EXPECT_EQ(std::system(("cd '" + folder.string() + "' && nm -u predictors.o > names").c_str()), 0);
  std::ifstream file(folder / "names");
  std::vector<std::string> names;
  for (std::string kind, name; file >> kind >> name;) names.push_back(name);
  return names;
}

/// Exports the cases, compiles their headers as C++17 and C++20 with each compiler, and compares their outputs with
/// the models' predictions. One program for all cases, because most of the time goes into starting compilers.
void expect_agreement(const std::filesystem::path& folder, const std::vector<ExportCppCase>& cases,
                      const std::string& compiler) {
  SCOPED_TRACE(compiler);
  write_text(folder / "net.h", net_text);
  write_text(folder / "predictors.cpp", predictors(cases));
  write_text(folder / "again.cpp", "#include \"net.h\"\n#include \"" + cases.front().name +
                                       ".h\"\nvoid (*in_another_file())(const float*, float*) { return " +
                                       cases.front().name + "::predict; }\n");
  write_text(folder / "main.cpp", main_text);
  for (const ExportCppCase& each : cases) {
    each.model.export_cpp((folder / (each.name + ".h")).string(),
                          {.name = each.name, .int8_weights = each.int8_weights});
    const std::vector<float> numbers(each.x.begin(), each.x.begin() + each.x.size());
    write_text(folder / (each.name + ".in"), {reinterpret_cast<const char*>(numbers.data()), numbers.size() * 4});
  }
  const std::string compile = compiler + compiler_flags;
  std::string command = "cd '" + folder.string() + "' && " + compile + "-std=c++17 -c predictors.cpp && " + compile +
                        "-std=c++17 main.cpp again.cpp predictors.o -o main && ./main";
  if (testing::compiles_all) command += " && " + compile + "-std=c++20 -O0 -c predictors.cpp -o in_cpp20.o";
  ASSERT_EQ(std::system(command.c_str()), 0);
  for (const ExportCppCase& each : cases) expect_agreement(folder, each);
}

TEST(ExportCpp, AgreesWithThePredictionsOfEveryLayer) {
  const TemporaryFolder folder;
  const std::vector<ExportCppCase> cases = export_cpp_cases();
  for (const std::string& compiler : compilers()) {
    expect_agreement(folder.path(), cases, compiler);
    const std::set<std::string> allowed{"expf",  "expm1f",     "logf",   "log1pf", "tanhf",   "erfcf",
                                        "erff",  "sqrtf",      "sinf",   "cosf",   "fmodf",   "floorf",
                                        "ceilf", "nearbyintf", "memcpy", "memset", "memmove", "_GLOBAL_OFFSET_TABLE_"};
    const std::vector<std::string> names = undefined_names(folder.path());
    EXPECT_FALSE(names.empty());
    for (const std::string& name : names) {
      EXPECT_TRUE(allowed.contains(name)) << name << ": only <cmath> and the compiler's own functions are allowed";
    }
  }
}

TEST(ExportCpp, AgreesWithLayersAndOpsOfAUser) {
  const TemporaryFolder folder;
  for (const std::string& compiler : compilers()) {
    expect_agreement(folder.path(), testing::users_cpp_cases(), compiler);
  }
}

TEST(ExportCpp, AgreesWithRandomGraphs) {
  constexpr std::uint64_t together = testing::compiles_all ? 100 : 20;  // in one program
  const std::uint64_t count = testing::compiles_all ? testing::random_graph_count() : together;
  const std::vector<std::string> all = compilers();
  for (std::uint64_t seed = 0; seed < count; seed += together) {
    const TemporaryFolder folder;
    expect_agreement(folder.path(), testing::random_cpp_cases(seed, together), all[seed / together % all.size()]);
  }
}

void add_types(const NamedLayers& layers, std::set<std::string>& types) {
  for (const NamedLayer& each : layers) {
    types.emplace(each.layer->type());
    add_types(each.layer->layers(), types);
  }
}

TEST(ExportCpp, IsTestedWithEveryLayer) {
  std::set<std::string> tested;
  for (ExportCppCase& each : export_cpp_cases()) add_types(each.model.layers(), tested);
  for (const std::string& name : testing::registered_layers) {
    EXPECT_TRUE(tested.contains(name)) << name << " needs a row in tests/support/every_layer.h";
  }
}

TEST(ExportCpp, WritesInt8WeightsWithAScaleForEachOutput) {
  Sequential model{Input{2}, Dense{2}};
  const std::vector<Tensor> weights{Tensor::matrix({{1, 0.5}, {-2, 0}}), Tensor::vector({3, 4})};
  model.set_weights(weights);
  const std::string text = to_cpp(model, {.int8_weights = true});
  EXPECT_NE(text.find("inline constexpr std::int8_t w_dense_kernel[4] = {\n    64, 127, -127, 0,\n};"),
            std::string::npos)
      << text;
  EXPECT_NE(text.find("// Weights: 20 bytes. Workspace: 0 bytes.\n"), std::string::npos) << text;
}

/// Calls a dense layer with normalization and an attention layer on both inputs.
struct Twins {
  AnyLayer dense = Sequential{Dense{4}, BatchNormalization{}, Reshape{1, 4}},
           attention = MultiHeadAttention{.num_heads = 2, .key_dim = 2};
  Var forward(Var a, Var b) const { return attention(dense(a)) - attention(dense(b)); }
  NamedLayers layers() { return {{"dense", &dense}, {"attention", &attention}}; }
};

/// An autoencoder with tied weights.
struct Tied {
  Parameter w;
  Shape build(const Shape& input, Rng&) {
    w = {Tensor({3, input[0]}) + 1};
    return input;
  }
  Var forward(Var x) const { return matmul(matmul(x, w, {.transpose_b = true}), w); }
  NamedParameters parameters() { return {{"w", &w}}; }
};

TEST(ExportCpp, WritesSharedWeightsOnce) {
  // dense: 5 x 4 + 4; attention: 4 (4 x 4 + 4).
  EXPECT_NE(to_cpp(Sequential{Inputs{{5}, {5}}, Twins{}}).find("// Weights: 416 bytes."), std::string::npos);
  EXPECT_NE(to_cpp(Sequential{Input{4}, Tied{}}).find("// Weights: 48 bytes."), std::string::npos);
}

TEST(ExportCpp, WritesAComposedOpOfAUserByItsRow) {
  register_cpp_op("users_block", [](CppOpWriter& to) { return to.each("2.0f * v"); });
  const Activation block([](Var x) {
    return composite(x.tape(), {"users_block", {{"activation", 3}}}, {x}, [&] { return x + x; });
  });
  EXPECT_NE(to_cpp(Sequential{Input{2}, block}).find("2.0f * v"), std::string::npos);
}

TEST(ExportCpp, KeepsInt8WeightsInRange) {
  // Only a float's smallest number, divided by 127, is rounded so far that the quotient leaves the range of int8.
  if (sizeof(Real) != sizeof(float)) GTEST_SKIP() << "scales are exact in this build";
  Sequential model{Input{1}, Dense{1}};
  model.get_layer("dense").as<Dense>()->kernel.value[0] = Real(180) * std::numeric_limits<Real>::denorm_min();
  const std::string text = to_cpp(model, {.int8_weights = true});
  EXPECT_NE(text.find("w_dense_kernel[1] = {\n    127,\n};"), std::string::npos) << text;
}

TEST(ExportCpp, BeginsWithADescriptionOfTheModel) {
  const Sequential model(
      {Input{4, 4, 1}, Conv2D{.filters = 2, .kernel_size = 3, .activation = relu}, BatchNormalization{},
       Conv2D{.filters = 3, .kernel_size = 2}, BatchNormalization{}, Residual{Dense{3}}},
      {.name = "two\nlines"});
  const std::string
      text = to_cpp(model),
      expected =
          R"(// Predictor for the model "two\u000alines", generated by Cornu; do not edit. C++17, without exceptions or a heap.
//
//   input                                    (4, 4, 1)
//   conv2d (conv2d)                          (2, 2, 2)
//   batch_normalization (batch_normalization) (2, 2, 2)
//   conv2d_1 (conv2d)                        (1, 1, 3)
//   residual/dense (affine)                  (1, 1, 3)
//   residual (add)                           (1, 1, 3)
//
// Weights: 260 bytes. Workspace: 32 bytes.
)";
  EXPECT_EQ(text.substr(0, expected.size()), expected);
}

TEST(ExportCpp, NamesOfLayersStayInTheirComments) {
  for (const std::string name : {"a\\", "a\\ ", "a\\\t", "a\\\n", "a?\?/", "a?\?/ ", "a\xe2\x80\xae", "a\nint b;\r"}) {
    const std::string text = to_cpp(Sequential({Input{2}, {name, Dense{2}}}, {.name = name}));
    std::istringstream lines(text);
    for (std::string line; std::getline(lines, line);) {
      EXPECT_FALSE(line.ends_with('\\') || line.ends_with(' ') || line.ends_with("?\?/") || line.ends_with('\r'))
          << line;
      EXPECT_FALSE(line.starts_with("int b")) << line;
      EXPECT_EQ(line, detail::printable(line));  // compilers warn of text that runs the other way
    }
  }
}

TEST(ExportCpp, SharesMemoryBetweenValuesNotNeededAtOnce) {
  const Sequential model{Input{2}, Dense{100}, Dense{50}, Dense{80}, Dense{1}};
  EXPECT_NE(to_cpp(model).find("float memory[150];"), std::string::npos) << "at most 100 and 50 at once";
}

TEST(ExportCpp, ReadsARowForEachSampleWhereItIsStored) {
  const Activation shifted([](Var x) { return x + x.tape().constant(Tensor(x.shape()) + 3); });
  const std::string text = to_cpp(Sequential{Input{2}, Dense{100}, Dense{50}, shifted, Dense{1}});
  EXPECT_NE(text.find("float memory[150];"), std::string::npos) << text;
  EXPECT_EQ(text.find("copy<"), std::string::npos) << text;
}

TEST(ExportCpp, RefusesOpsWithoutARow) {
  const auto refused = [](Activation::Function function, const std::string& error) {
    expect_error<ValueError>([&] { to_cpp(Sequential{Input{2}, {"mine", Activation{function}}}); }, error);
  };
  refused([](Var x) { return x.tape().output(x.shape(), {x}, "strange"); },
          "export_cpp: mine: the op strange cannot be written in C++; register_cpp_op says how");
  refused(
      [](Var x) { return x.tape().output(x.shape(), {x}); },
      "export_cpp: mine: an op without a name cannot be written in C++; give Tape::output its name, and register it "
      "by register_cpp_op");
  refused([](Var x) { return x - mean(x); },
          "export_cpp: the result of a sample depends on the other samples of its batch");
  expect_error<StateError>([&] { to_cpp(Sequential{Dense{2}}); },
                           "sequential: export_cpp: not built yet, so there are no weights");
}

TEST(ExportCpp, HasARowForEveryOp) {
  const std::vector<std::string> names = detail::cpp_op_names();
  for (const std::string& name : detail::called_op_names()) {
    if (name == "repeat" || detail::is_users_op(name)) continue;  // a constant, for one sample; or of another test
    EXPECT_TRUE(std::find(names.begin(), names.end(), name) != names.end()) << name;
  }
}

TEST(ExportCpp, AUsersOpIsRegisteredOnce) {
  const CppRow row = [](CppOpWriter& to) { return to.each("v"); };
  expect_error<ValueError>([&] { register_cpp_op("relu", row); }, "register_cpp_op: \"relu\" is registered already");
  expect_error<ValueError>([&] { register_cpp_op("", row); }, "register_cpp_op: a name and a function are required");
  expect_error<ValueError>([] { register_cpp_op("mine", {}); }, "register_cpp_op: a name and a function are required");
  static std::string name;
  register_cpp_op("clash", [](CppOpWriter& to) {
    to.function(name, "");
    return to.each("v");
  });
  const Activation clash([](Var x) { return x.tape().output(x.shape(), {x}, "clash"); });
  for (const char* const taken : {"dense", "finish", "for_tiles", "Matrices", "Number", "size"}) {
    name = taken;
    expect_error<ValueError>(
        [&] {
          to_cpp(Sequential{Input{2}, {"mine", clash}});
        },
        "export_cpp: mine: there is another function " + name);
  }
}

TEST(ExportCpp, RefusesANameThatCannotBeANamespace) {
  const Sequential model{Input{2}, Dense{2}};
  for (const std::string name : {"", "a net", "1st", "n\xc3\xa9t", "class", "float", "and", "concept", "linux", "main",
                                 "std", "std2", "posix", "_net", "_Net", "a__net", "size_t"}) {
    expect_error<ValueError>([&] { to_cpp(model, {.name = name}); },
                             message("export_cpp: name is \"{}\"; an identifier is required that is not a keyword or "
                                     "reserved",
                                     name));
  }
  for (const std::string name :
       {"net", "Net_2", "stdio", "std_2", "classes", "net_", "logs", "f", "l", "cornu", "detail", "size"}) {
    EXPECT_NO_THROW(to_cpp(model, {.name = name})) << name;
  }
}

TEST(ExportCpp, GivesEveryArrayAValidUniqueName) {
  const Sequential model{Input{2},          {"x-y", Dense{2}},     {"x_y", Dense{2}}, {"_x__y_", Dense{2}},
                         {"1st", Dense{2}}, {"\xc3\xa9", Dense{2}}};
  const std::string text = to_cpp(model);
  for (const std::string name : {"w_x_y_kernel[", "w_x_y_kernel_1[", "w_x_y_kernel_2[", "w_1st_kernel[", "w_kernel["}) {
    EXPECT_NE(text.find("inline constexpr float " + name), std::string::npos) << name << '\n' << text;
  }
}

TEST(ExportCpp, RefusesWeightsThatAreNotFinite) {
  Sequential model{Input{1}, Dense{1}};
  model.get_layer("dense").as<Dense>()->kernel.value[0] = std::numeric_limits<Real>::quiet_NaN();
  for (const bool int8 : {false, true}) {
    expect_error<ValueError>([&] { to_cpp(model, {.int8_weights = int8}); },
                             "export_cpp: dense: dense/kernel has a value that is not finite");
  }
}

TEST(ExportCpp, RefusesWeightsThatAreNotFiniteAsFloats) {
  if (sizeof(Real) == sizeof(float)) GTEST_SKIP() << "weights are floats in this build";
  Sequential model{Input{1}, Dense{1}};
  model.get_layer("dense").as<Dense>()->kernel.value[0] = static_cast<Real>(1e39L);
  for (const bool int8 : {false, true}) {
    expect_error<ValueError>([&] { to_cpp(model, {.int8_weights = int8}); },
                             "export_cpp: dense: dense/kernel has a value that is not finite as a float");
  }
}

TEST(ExportCpp, RefusesOptionsThatAreNotFiniteAsFloats) {
  const auto expect = [](const Sequential& model, const std::string& error) {
    expect_error<ValueError>([&] { to_cpp(model); },
                             "export_cpp: " + error + " has a value that is not finite as a float");
  };
  expect(Sequential{Input{2}, LeakyReLU{.negative_slope = 1e39}}, "leaky_re_lu: negative_slope");
  expect(Sequential{Input{2}, ELU{.alpha = 1e39}}, "elu: alpha");
  expect(Sequential{Input{2}, LayerNormalization{.epsilon = 1e39}}, "layer_normalization: epsilon");
}

}  // namespace
}  // namespace cornu
