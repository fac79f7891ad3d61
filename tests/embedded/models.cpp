// Writes what the programs of tests/embedded/run.sh read: embedded_models FOLDER. For each model a folder of its name
// with the exported header `model.h`, samples in `input` and the library's outputs in `library`, both as floats.
#include <cornu/cornu.h>

#include <algorithm>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <stdexcept>
#include <string>
#include <utility>
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

/// A trainable header. Each sample is an input and its class; the library's outputs are the loss of a step on this
/// sample and the prediction after it.
void write_training(const std::filesystem::path& folder, AnyOptimizer optimizer) {
  std::filesystem::create_directories(folder);
  Sequential model{Input{16}, Dense{16, relu}, Dense{4, softmax}};
  model.compile({.optimizer = std::move(optimizer), .loss = SparseCategoricalCrossentropy{}});
  model.export_cpp((folder / "model.h").string(), {.name = "model", .trainable = true});
  constexpr Index steps = 100;
  const Tensor x = random({steps, 16});
  Tensor samples({steps, 17}), outputs({steps, 5});
  for (Index i = 0; i < steps; ++i) {
    const Tensor one = slice_axis(x, 0, i, i + 1), label = Tensor::vector({static_cast<Real>(i % 4)});
    std::copy(one.begin(), one.end(), samples.begin() + i * 17);
    samples[i * 17 + 16] = label[0];
    outputs[i * 5] = static_cast<Real>(model.train_on_batch(one, label)["loss"]);
    const Tensor y = model.predict(one);
    std::copy(y.begin(), y.end(), outputs.begin() + i * 5 + 1);
  }
  write_floats(folder / "input", samples);
  write_floats(folder / "library", outputs);
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

  write_training(folder / "mlp_sgd", SGD{.learning_rate = 0.05, .momentum = 0.9});
  write_training(folder / "mlp_adam", Adam{});
  return EXIT_SUCCESS;
} catch (const std::exception& error) {
  std::cerr << "embedded_models: " << error.what() << '\n';
  return EXIT_FAILURE;
}
