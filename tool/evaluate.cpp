#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cmath>
#include <filesystem>
#include <numeric>

#include "cornu/core/text/listed.h"
#include "cornu/datasets/mnist_files.h"
#include "cornu/datasets/one_hot.h"
#include "cornu/formats/npy/npz.h"
#include "cornu/models/metrics/metrics.h"
#include "cornu/tool/commands.h"
#include "cornu/tool/file_kind.h"
#include "cornu/tool/network.h"
#include "cornu/tool/samples.h"

namespace cornu::tool {

namespace {

/// Samples and labels as a dataset.
struct Data {
  SampleSet x;
  Tensor y;

  Index size() const { return x.size(); }
  Shape feature_shape() const { return x.feature_shape(); }
  Shape target_shape() const { return y.shape().sub(1); }
  void gather(std::span<const Index> rows, View to_x, View to_y) const {
    x.gather(rows, to_x, {});
    const Index width = target_shape().size();
    Real* to = to_y.data();
    for (const Index row : rows) to = std::copy_n(y.data() + row * width, width, to);
  }
};

/// The samples of a model with one input.
SampleSet single(const std::string& name, Samples samples) {
  std::vector<NamedSamples> list;
  list.push_back({name, std::move(samples)});
  return SampleSet(std::move(list));
}

/// Throws ValueError for a model with several inputs.
void require_one_input(const Network& network, const std::string& model, const std::string& data) {
  require<ValueError>(network.inputs.size() == 1,
                      "{}: inputs {}; {} has samples for one. A .npz file can have an array for each input, and y",
                      model, detail::listed(network.inputs, &NetworkInput::name), data);
}

/// MNIST's test images and labels.
Data read_mnist(const std::string& folder, const Sequential& model) {
  std::error_code ignored;
  require<FileError>(std::filesystem::is_directory(folder, ignored), "{}: there is no such folder", folder);
  const auto file = [&](const char* name) {
    const auto found = datasets::detail::find_file(folder, name);
    require<FileError>(found.has_value(), "{}: contains neither {} nor {}.gz", folder, name, name);
    return *found;
  };
  const auto pixels = file("t10k-images-idx3-ubyte"), labels = file("t10k-labels-idx1-ubyte");
  // A built model determines the number of classes: EMNIST has up to 62, in files of the same format.
  constexpr Index most_classes = 256;  // a label is a byte
  const bool is_known = model.built() && !model.output_shape().empty();
  const Index outputs = is_known ? model.output_shape().size() : most_classes;
  const Index classes = std::clamp(outputs, Index{10}, most_classes);
  const ImageDataset images = datasets::detail::load_images(pixels, labels, {.classes = classes});
  Tensor x(images.feature_shape().batched(images.size())), y(Shape{images.size()});
  std::vector<Index> rows(static_cast<std::size_t>(images.size()));
  std::iota(rows.begin(), rows.end(), Index{0});
  images.gather(rows, x, y);
  const RawTensor array = raw_tensor(folder, x);
  return {.x = single(folder, Samples({.array = array, .owner = std::move(x)}, model.input_shape(), {}, folder)),
          .y = std::move(y)};
}

/// Reads x_test and y_test, as in Keras's mnist.npz, or x and y. For a model with several inputs: an array with the
/// name of each, and y_test or y.
Data read_npz(const std::string& path, const std::vector<NetworkInput>& inputs, const ScaleOptions& scale) {
  const NpzFile file(path);
  const bool is_split = file.find("x_test") != nullptr;
  const bool is_y_test = inputs.size() > 1 ? file.find("y_test") != nullptr : is_split;
  const char* const y = is_y_test ? "y_test" : "y";
  const auto array_of = [&](const NetworkInput& input) -> std::string {
    return inputs.size() > 1 ? input.name : is_split ? "x_test" : "x";
  };
  bool has_all = file.find(y) != nullptr;
  for (const NetworkInput& input : inputs) has_all = has_all && file.find(array_of(input)) != nullptr;
  require<FormatError>(has_all, "{}: arrays {} are required; it has: {}", path,
                       inputs.size() > 1 ? detail::listed(inputs, &NetworkInput::name) + ", and y_test or y,"
                                         : "x_test and y_test, or x and y,",
                       detail::listed(file.arrays(), &RawTensor::name));
  std::vector<NamedSamples> list;
  for (const NetworkInput& input : inputs) {
    const std::string x = array_of(input);
    std::string name = path;
    name.append(": ").append(x);
    NpzFile own(path);
    const RawTensor array = *own.find(x);
    list.push_back({name, Samples({.array = array, .owner = std::move(own)}, input.shape, scale, name)});
  }
  Data data{.x = SampleSet(std::move(list)), .y = file.tensor(y)};
  require<FormatError>(data.y.rank() > 0 && data.size() == data.y.shape()[0],
                       R"({}: "{}" is {} but "{}" is {}; their first axes count the samples and must agree)", path,
                       array_of(inputs.front()), data.x.shapes().front().batched(data.size()), y, data.y.shape());
  return data;
}

/// Reads a table with the model's encoding, or as plain numbers with the labels last.
Data read_table(const std::string& path, const Network& network, const ScaleOptions& scale) {
  const CsvEncoding* const encoding = network.encoding();
  if (encoding == nullptr) {
    LabelledSamples table = read_labelled_numbers(path, network.model.input_shape(), scale);
    return {.x = single(path, std::move(table.x)), .y = std::move(table.y)};
  }
  const TensorDataset table = read_labelled_table(path, *encoding, scale);
  Numbers numbers;
  numbers.array = raw_tensor(path, numbers.owner.emplace<Tensor>(table.x()));
  return {.x = single(path, Samples(std::move(numbers), network.model.input_shape(), scale, path)), .y = table.y()};
}

Data read_data(const std::string& path, const Network& network, const ScaleOptions& scale, const std::string& model) {
  const FileKind kind = kind_of_file(path);
  require_table(kind, path, scale.table);
  switch (kind) {
    case FileKind::npz:
      return read_npz(path, network.inputs, scale);
    case FileKind::csv:
      require_one_input(network, model, path);
      return read_table(path, network, scale);
    case FileKind::gzip:
      throw FormatError(message("{}: {}", path, detail::described(kind)));
    default:
      throw FormatError(message("{}: {}; --data takes a .npz file or a table", path, name_of(kind)));
  }
}

/// Converts labels to the form that the loss takes: one-hot, except for the sparse loss.
void fit_labels(Tensor& y, const Network& network) {
  const Shape outputs = network.model.output_shape();
  const bool are_labels = y.size() == y.shape()[0];
  if (are_labels && outputs.rank() == 1 && outputs.size() > 1 && network.loss != "SparseCategoricalCrossentropy") {
    y.reshape({y.size()});
    y = one_hot(y, outputs.size());
  }
}

}  // namespace

void Evaluate::declare(CLI::App& app) {
  app.add_option("MODEL", model, "a Cornu, Keras or ONNX model")->required()->option_text(" ");
  CLI::Option* const folder =
      app.add_option("--mnist", mnist, "a folder with MNIST's t10k files, or files in the same format");
  folder->option_text("DIR");
  app.add_option(
         "--data", data,
         "a .npz file with x_test and y_test, or x and y; or a table, with the label last unless the model has an "
         "encoding. For a model with several inputs: a .npz file with an array for each, and y")
      ->excludes(folder)
      ->option_text("FILE");
  app.add_option("--output-name", output_name, "the output of an ONNX model to compare (default: the first)")
      ->option_text("NAME");
  scale.declare(app);
}

std::string Evaluate::run() const {
  require<UsageError>(!mnist.empty() || !data.empty(), "evaluate: --mnist DIR or --data FILE is required");
  require<UsageError>(!data.empty() || (!scale.scale && !scale.invert),
                      "evaluate: --scale and --invert require --data");
  require<UsageError>(!data.empty() || scale.table.given().empty(), "evaluate: {} requires --data",
                      scale.table.given());
  Network network = load_network(model, {}, output_name);
  if (data.empty()) require_one_input(network, model, mnist);
  Data samples = data.empty() ? read_mnist(mnist, network.model) : read_data(data, network, scale, model);
  build_for(network, samples.x);
  std::string text;
  if (!network.model.compiled()) {
    const Tensor outputs = predict(network, samples.x);
    const bool one_output = outputs.size() == outputs.shape()[0];
    for (Index i = 0; one_output && i < outputs.size(); ++i) {
      require<ValueError>(
          !(outputs[i] < 0 || outputs[i] > 1),
          "{}: output {} of sample {} is not a probability, so there is no accuracy (does the model end "
          "before its sigmoid?)",
          model, outputs[i], i);
    }
    Accuracy accuracy;
    accuracy.update(samples.y, outputs);
    return fmt::format("accuracy: {:.4f}\n", accuracy.result());
  }
  fit_labels(samples.y, network);
  const Logs result = network.model.evaluate(samples, {.batch_size = network.batch_size()});
  for (const auto& [name, value] : result) {
    text += name + ": " +
            (value == 0 || std::abs(value) > 1e-3 ? fmt::format("{:.4f}\n", value) : fmt::format("{:.4e}\n", value));
  }
  return text;
}

}  // namespace cornu::tool
