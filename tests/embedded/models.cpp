// Writes what the programs of tests/embedded/run.sh read: embedded_models FOLDER. For each model a folder of its name
// with the exported header `model.h`, samples in `input` and the library's outputs in `library`, both as floats.
#include <cornu/cornu.h>

#include <cstdlib>
#include <exception>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <stdexcept>
#include <string>
#include <vector>

using namespace cornu;

namespace {

void write_floats(const std::filesystem::path& path, const Tensor& tensor) {
  const std::vector<float> elements(tensor.begin(), tensor.end());
  std::ofstream out(path, std::ios::binary);
  out.write(reinterpret_cast<const char*>(elements.data()),
            static_cast<std::streamsize>(elements.size() * sizeof(float)));
  if (!out.flush()) throw std::runtime_error("cannot write " + path.string());
}

void write(const std::filesystem::path& folder, const Sequential& model, const Tensor& samples,
           ExportCppOptions options = {}) {
  std::filesystem::create_directories(folder);
  options.name = "model";
  model.export_cpp((folder / "model.h").string(), options);
  write_floats(folder / "input", samples);
  write_floats(folder / "library", model.predict(samples));
}

Tensor random(const Shape& shape) {
  Tensor result(shape);
  Rng(1).fill_uniform(result, -1, 1);
  return result;
}

}  // namespace

int main(int argc, char** argv) try {
  if (argc != 2) throw std::runtime_error("usage: embedded_models FOLDER");
  const std::filesystem::path folder = argv[1];

  const Sequential mlp{Input{784}, Dense{32, relu}, Dense{10}, Softmax{}};
  write(folder / "mlp", mlp, random({3, 784}));
  write(folder / "mlp_int8", mlp, random({3, 784}), {.int8_weights = true});

  const Sequential lenet{
      Input{28, 28, 1}, Conv2D{.filters = 6, .kernel_size = 5, .padding = Padding::same, .activation = relu},
      MaxPooling2D{},   Conv2D{.filters = 16, .kernel_size = 5, .activation = relu},
      MaxPooling2D{},   Flatten{},
      Dense{120, relu}, Dense{84, relu},
      Dense{10},        Softmax{}};
  write(folder / "lenet", lenet, random({2, 28, 28, 1}));
  write(folder / "lenet_int8", lenet, random({2, 28, 28, 1}), {.int8_weights = true});

  const Sequential gru{Input{16, 4}, GRU{.units = 8}, Dense{2}};
  write(folder / "gru", gru, random({3, 16, 4}));

  // Causal: an output step depends only on the same and earlier steps of the window.
  const Sequential conv1d{
      Input{32, 3}, Conv1D{.filters = 8, .kernel_size = 3, .padding = Padding::causal, .activation = relu},
      Conv1D{.filters = 8, .kernel_size = 3, .padding = Padding::causal, .dilation_rate = 2, .activation = relu},
      Conv1D{.filters = 8, .kernel_size = 3, .padding = Padding::causal, .dilation_rate = 4, .activation = relu},
      Conv1D{.filters = 4, .kernel_size = 1}};
  write(folder / "conv1d", conv1d, random({3, 32, 3}));
  return EXIT_SUCCESS;
} catch (const std::exception& error) {
  std::cerr << "embedded_models: " << error.what() << '\n';
  return EXIT_FAILURE;
}
