#include <array>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <sstream>
#include <string>
#include <string_view>

#include "cornu/cornu.h"
#include "cornu/formats/gzip.h"
#include "cornu/formats/json.h"
#include "cornu/onnx/save.h"
#include "cornu/tests/support/paths.h"
#include "cornu/tests/support/pickles.h"
#include "cornu/tests/support/protobuf.h"

/// Writes the seeds of the fuzz targets: `fuzz_seeds FOLDER` writes FOLDER/NAME/corpus/seed-*. All are small, valid
/// files.

using namespace cornu;

namespace {

std::filesystem::path root;

/// The path of seed `name` of a target.
std::filesystem::path seed(const std::string& target, const std::string& name) {
  const std::filesystem::path folder = root / target / "corpus";
  std::filesystem::create_directories(folder);
  return folder / ("seed-" + name);
}

void put(const std::string& target, const std::string& name, std::string_view bytes) {
  std::ofstream(seed(target, name), std::ios::binary) << bytes;
}

void put_tables() {
  using namespace std::string_view_literals;
  put("csv", "numbers",
      "\x01\x20"
      "a,b,y\n1,2.5,3\n-4,+5e-3,6\n");
  put("csv", "names",
      "\x05\x21"
      "size,colour,kind\r\n1,red,\"x \"\"y\"\"\"\r\n,blue,z\r\n");
  put("csv", "no header",
      "\x28\x20"
      "1\tred\t0\n2\tblue\t1\n");
  put("csv", "spaces",
      "\x80\x23"
      " 1.5 2  3\n4 5 6 \n");
  put("csv", "commas",
      "\x11\x1d"
      "a;b;y\n1.234,5;$2,5;3 %\n-,5;7;\"5\"\n");
  put("json", "all",
      R"({"a":[1,-2,3.5,1e300,true,false,null,"x\"\\\u0001\u00e9"],"b":{},"c":[],"d":{"e":9223372036854775807}})");
  put("gzip", "file", "\0\x1f\x8b\x08\0\0\0\0\0\0\x03\xcb\x48\xcd\xc9\xc9\x07\0\x86\xa6\x10\x36\x05\0\0\0"sv);
  put("gzip", "content", "\x01\x05\0\0\0hello hello hello"sv);
  put("gzip", "damaged content", "\x01\x05\0\x0f\x01hello hello hello"sv);
}

void put_arrays() {
  const Tensor matrix = Tensor::matrix({{1, 2, 3}, {4, 5, 6}});
  const IdxArray images{.dimensions = {2, 2, 2}, .data = std::vector<std::uint8_t>{0, 1, 2, 3, 4, 5, 254, 255}};
  const IdxArray wide{.dimensions = {2}, .data = std::vector<std::int32_t>{-1, 1}};
  write_idx(seed("idx", "images"), images, {.gzip = false});
  write_idx(seed("idx", "images in gzip"), images, {.gzip = true});
  write_idx(seed("idx", "whole numbers"), wide, {.gzip = false});
  write_idx(seed("idx", "reals"), to_idx(matrix), {.gzip = false});

  const std::array<std::byte, 4> few{std::byte{1}, std::byte{0}, std::byte{1}, std::byte{1}};
  const std::vector<RawTensor> arrays{raw_tensor("a", matrix),
                                      {.name = "b", .dtype = Dtype::boolean, .shape = {4}, .bytes = few},
                                      {.name = "c/d", .dtype = Dtype::f16, .shape = {1, 2}, .bytes = few},
                                      {.name = "none", .dtype = Dtype::i64, .shape = {0, 3}}};
  write_safetensors(seed("safetensors", "arrays"), arrays, {{"format", "pt"}, {"of", "\"\\\n"}});
  write_safetensors(seed("safetensors", "empty"), {});
  write_npy(seed("npy", "matrix"), matrix);
  write_npy(seed("npy", "truths"), arrays[1]);
  write_npy(seed("npy", "scalar"), raw_tensor("scalar", Tensor::scalar(1)));
  if (has_npz()) {
    write_npz(seed("npz", "stored"), arrays);
    write_npz(seed("npz", "compressed"), arrays, {.compressed = true});
  }
}

/// What torch.save pickles.
void put_pickles() {
  using namespace testing::pickles;
  const std::string weight = tensor(storage("FloatStorage", "1", 4), {.sizes = {2, 2}, .strides = {1, 2}});
  const std::string bias = tensor(storage("FloatStorage", "1", 4), {.sizes = {2}, .strides = {1}, .offset = 2});
  const std::string counter = tensor(storage("LongStorage", "0", 1), {});
  const std::string module = dict({{"0.weight", weight}, {"0.bias", bias}, {"1.num_batches_tracked", counter}});
  put("pickle", "module", pickle(module));
  put("pickle", "checkpoint", pickle(dict({{"epoch", integer(3)}, {"model", module}, {"optimizer", ordered_dict()}})));
  const std::string bytes = storage(global("torch.storage", "UntypedStorage"), "2", 24);
  put("pickle", "typed", pickle(dict({{"a", typed_tensor(bytes, {.sizes = {3, 2}, .strides = {0, 1}}, "uint16")}})));
  const std::string parameter = called(global("torch._utils", "_rebuild_parameter"), {weight, "\x88", ordered_dict()});
  put("pickle", "parameter",
      pickle(dict({{"w", parameter}, {"size", called(global("torch", "Size"), {integers({2})})}})));
  put("pickle", "attributes", pickle(ordered_dict() + "}" + text("_metadata") + ordered_dict() + "sb"));
}

/// Models as written by Cornu.
void put_model(const std::string& name, Sequential model, const Tensor& x = {}, const Tensor& y = {}) {
  if (y.size() > 0) model.train_on_batch(x, y);
  model.save(seed("model", name));
  onnx::save(model, seed("onnx", name));
}

/// Input of the target `model`: a minimal description, and tensors.
void put_parts(const std::string& name, const std::string& input, const std::string& layers, const std::string& tensors,
               const std::string& compile = "") {
  put("model", name + " in parts",
      R"({"version":1,"class_name":"Sequential","config":{"input_shape":)" + input + R"(,"layers":[)" + layers +
          R"(]},"build_input_shape":)" + input + R"(,"untrainable":[],"frozen":[])" + compile + "}" + '\0' + tensors);
}

void put_models() {
  Sequential trained{Input{3}, BatchNormalization{}, Dropout{0.5}, Dense{2, softmax}};
  trained.compile({.optimizer = Adam{}, .loss = SparseCategoricalCrossentropy{}, .metrics = {Accuracy{}}});
  std::istringstream table("a,b,c,y\n1,2.5,3,red\n4,5,6,blue\n");
  trained.set_csv_encoding(read_csv(table, "table").encoding());
  put_model("trained", trained, Tensor::matrix({{1, 2, 3}, {4, 5, 6}}), Tensor::vector({0, 1}));
  put_model("images",
            Sequential{Input{4, 4, 1}, Conv2D{.filters = 2, .kernel_size = 3}, MaxPooling2D{}, Flatten{}, Dense{1}}, {},
            {});
  put_model("nested", Sequential{Input{2, 2}, Reshape{4}, Residual{Dense{4, tanh}}, Sequential{Dense{2}, LeakyReLU{}}});
  put_model("sequences",
            Sequential{Input{3}, Embedding{.input_dim = 4, .output_dim = 2}, LayerNormalization{}, LSTM{.units = 2}});
}

void put_parts() {
  put_parts(
      "dense", "[3]", R"({"class_name":"Dense","name":"d","config":{"units":2,"activation":"relu"}})",
      "d/kernel 3 2\nd/bias 2",
      R"(,"compile":{"optimizer":{"class_name":"SGD","config":{},"extras":{}},"loss":{"class_name":"SparseCategoricalCrossentropy","config":{}},)"
      R"("metrics":[{"class_name":"MeanIoU","config":{"num_classes":2}}]})");
  put_parts("images", "[4,4,1]",
            R"({"class_name":"Conv2D","name":"c","config":{"filters":2,"kernel_size":[3,3]}},)"
            R"({"class_name":"MaxPooling2D","name":"p","config":{}},{"class_name":"Flatten","name":"f","config":{}})",
            "c/kernel 3 3 1 2\nc/bias 2");
  put_parts("sequences", "[2,3]", R"({"class_name":"LSTM","name":"l","config":{"units":1}})",
            "l/kernel 3 4\nl/recurrent_kernel 1 4\nl/bias 4");
  put_parts(
      "nested", "[2,2]",
      R"({"class_name":"Reshape","name":"r","config":{"target_shape":[4]}},)"
      R"({"class_name":"Residual","name":"s","config":{"layers":[{"class_name":"Dense","name":"d","config":{"units":4}}]}})",
      "s/d/kernel 4 4\ns/d/bias 4");
  put_parts(
      "normalised", "[2]",
      R"({"class_name":"BatchNormalization","name":"b","config":{}},{"class_name":"Dropout","name":"o","config":{}})",
      "b/gamma 2\nb/beta 2\nb/moving_mean 2\nb/moving_variance 2");
}

/// ONNX models with elements in files of the folder that the target makes.
void put_external_data() {
  using testing::field;
  int count = 0;
  for (const char* location : {"data", "d/data", "in", "../secret"}) {
    const auto entry = [](const char* key, const char* value) { return field(13, field(1, key) + field(2, value)); };
    const std::string place = entry("location", location) + entry("offset", "4") + entry("length", "8") + field(14, 1);
    const std::string graph = field(5, testing::onnx_tensor("w", 2, {8}, place));
    std::ofstream(seed("external_data", std::to_string(count++)), std::ios::binary)
        << field(1, 10) + field(7, graph) + field(8, field(1, "") + field(2, 21));
  }
}

/// The models of ONNX's op tests, if they are installed.
void put_onnx_tests() {
  const std::filesystem::path data = "/usr/share/libonnx-testdata/data";
  if (!std::filesystem::exists(data)) return;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(data)) {
    if (entry.path().filename() != "model.onnx" || entry.file_size() > 1024) continue;
    std::filesystem::copy_file(entry.path(), seed("onnx", entry.path().parent_path().filename()),
                               std::filesystem::copy_options::overwrite_existing);
  }
}

/// The files of tests/keras, as far as they are small.
void put_hdf5() {
  for (const auto& entry : std::filesystem::directory_iterator(testing::source_path("tests/keras/fixtures"))) {
    if (entry.path().extension() != ".h5" || entry.file_size() > 4096) continue;
    std::filesystem::copy_file(entry.path(), seed("hdf5", entry.path().stem()),
                               std::filesystem::copy_options::overwrite_existing);
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::cerr << "usage: fuzz_seeds FOLDER\n";
    return 2;
  }
  root = argv[1];
  put_tables();
  put_arrays();
  put_pickles();
  put_models();
  put_parts();
  put_external_data();
  put_onnx_tests();
  put_hdf5();
}
