#include <gtest/gtest.h>

#include <array>

#include "cornu/cornu.h"
#include "cornu/formats/zip.h"
#include "cornu/keras/hdf5_file.h"
#include "cornu/keras/load.h"
#include "cornu/tests/keras/support.h"
#include "cornu/tests/support/allocation_counter.h"
#include "cornu/tests/support/expect_error.h"
#include "cornu/tests/support/hdf5_leaks.h"

namespace {

using namespace cornu;
using cornu::testing::error_of;
using cornu::testing::expect_error;
using cornu::testing::keras_bytes;

/// A .keras file of this model, with the weights of Dense{4} and Dense{2} after three inputs.
std::vector<std::byte> archive_of(const std::string& config,
                                  const std::string& weights = keras_bytes("small.weights.h5")) {
  const std::array members{detail::ZipMember{"metadata.json", std::as_bytes(std::span(std::string_view("{}"))), {}},
                           detail::ZipMember{"config.json", std::as_bytes(std::span(config)), {}},
                           detail::ZipMember{"model.weights.h5", std::as_bytes(std::span(weights)), {}}};
  return detail::zip_file(members, false);
}

std::string layer(const std::string& type, const std::string& name, const std::string& options = "",
                  const std::string& nodes = "") {
  return R"({"module":"keras.layers","class_name":")" + type + R"(","config":{"name":")" + name + '"' +
         (options.empty() ? "" : "," + options) + "}" + (nodes.empty() ? "" : R"(,"inbound_nodes":[)" + nodes + "]") +
         "}";
}

std::string node(const std::string& inputs) { return R"({"args":[)" + inputs + R"(],"kwargs":{}})"; }

std::string tensor(const std::string& of, int call = 0) {
  return R"({"class_name":"__keras_tensor__","config":{"keras_history":[")" + of + "\"," + std::to_string(call) +
         ",0]}}";
}

const std::string input_of_three = layer("InputLayer", "in", R"("batch_shape":[null,3])");

std::string sequential(const std::string& layers) {
  return R"({"module":"keras","class_name":"Sequential","config":{"name":"s","layers":[)" + input_of_three + "," +
         layers + "]}}";
}

std::string functional(const std::string& layers, const std::string& output) {
  return R"({"class_name":"Functional","config":{"name":"f","layers":[)" +
         layer("InputLayer", "in", R"("batch_shape":[null,3])", "") + "," + layers +
         R"(],"input_layers":["in",0,0],"output_layers":[")" + output + R"(",0,0]}})";
}

template <class E = FormatError>
std::string refusal(const std::string& config) {
  return error_of<E>([&] { keras::parse(archive_of(config), "m"); });
}

TEST(KerasRefusals, NameAllLayersAndOptionsThatCornuLacksInOneError) {
  EXPECT_EQ(
      refusal(sequential(layer("SeparableConv2D", "sep") + "," + layer("Lambda", "python") + "," +
                         layer("SeparableConv2D", "sep_1") + "," +
                         layer("Conv2D", "conv", R"("filters":1,"kernel_size":[1,1],"data_format":"channels_first")") +
                         "," + layer("ReLU", "relu6", R"("max_value":6.0)") + "," +
                         layer("LSTM", "lstm", R"("units":1,"return_state":true,"activation":"mish")") + "," +
                         layer("Dense", "dense", R"("units":2,"dtype":"int8","new_option":[1])"))),
      "m: Cornu does not have the layers Lambda, which is Python code (python), SeparableConv2D (sep, sep_1); not "
      "supported: conv (Conv2D): data_format = \"channels_first\"; relu6 (ReLU): max_value = 6.0; lstm (LSTM): "
      "return_state = true; dense (Dense): dtype = int8; dense (Dense): new_option = [1]");
}

TEST(KerasRefusals, NameWhatAGraphDoesThatCornuCannot) {
  const std::string dense = layer("Dense", "d", R"("units":4)", node(tensor("in")));
  EXPECT_EQ(refusal(functional(dense + "," +
                                   layer("Dense", "e", R"("units":2)",
                                         R"({"args":[)" + tensor("d") + R"(],"kwargs":{"training":true}})"),
                               "e")),
            "m: not supported: e: called with training = true");
  EXPECT_EQ(refusal(functional(layer("Add", "a", "", node("[" + tensor("in") + ",2.0]")), "a")),
            "m: not supported: a: called with the argument 2.0");
}

TEST(KerasRefusals, GraphsThatAreNone) {
  EXPECT_EQ(refusal(functional(layer("Dense", "a", R"("units":3)", node(tensor("b"))) + "," +
                                   layer("Dense", "b", R"("units":3)", node(tensor("a"))),
                               "b")),
            "m: the connections to layer a form a circle, or begin at no input");
  EXPECT_EQ(refusal(functional(layer("Dense", "a", R"("units":3)", node(tensor("nowhere"))), "a")),
            "m: there is no layer nowhere, to which another is connected");
  EXPECT_EQ(refusal(functional(layer("Dense", "a", R"("units":3)", node(tensor("in"))), "b")),
            "m: there is no layer b, to which another is connected");
  EXPECT_EQ(refusal(functional(layer("Dense", "in", R"("units":3)", node(tensor("in"))), "in")),
            "m: two layers are called in");
  EXPECT_EQ(refusal(R"({"class_name":"MyModel","config":{}})"),
            "m: a model of the class MyModel; Sequential and functional models are read. For a subclassed model, write "
            "its struct in C++ and read its weights by keras::load_weights");
}

TEST(KerasRefusals, WeightsThatDoNotFitTheModel) {
  EXPECT_EQ(
      refusal<ValueError>(sequential(layer("Dense", "a", R"("units":5)") + "," + layer("Dense", "b", R"("units":2)"))),
      "m: the weights do not fit: mismatched: a/kernel is (3, 5), the file has (3, 4), a/bias is (5,), the file has "
      "(4,), b/kernel is (5, 2), the file has (4, 2)");
  EXPECT_EQ(refusal<ValueError>(sequential(layer("Dense", "a", R"("units":4)"))),
            "m: the weights do not fit: unexpected: layers/dense_1/vars/0, layers/dense_1/vars/1");
}

TEST(KerasRefusals, ModelsThatAskForMoreMemoryThanTheirWeights) {
  const cornu::testing::PeakMemory memory;
  const std::string text = refusal(sequential(layer("Dense", "a", R"("units":1099511627776)")));
  EXPECT_NE(text.find("m: "), std::string::npos);
  EXPECT_LT(memory.bytes(), Index{4} << 20);
}

TEST(KerasLoad, AnAxisOfAnyLengthStaysOne) {
  std::string config = sequential(layer("Dense", "a", R"("units":4)") + "," + layer("Dense", "b", R"("units":2)"));
  config.replace(config.find("[null,3]"), 8, "[null,null,3]");
  const Sequential model = keras::parse(archive_of(config), "m");
  for (const Index steps : {1, 6}) {
    EXPECT_EQ(model.predict(Tensor::full({2, steps, 3}, 1)).shape(), (Shape{2, steps, 2}));
  }
}

TEST(KerasRefusals, WhatIsNotUnderstoodOfCompilingIsAWarning) {
  static std::string warned;
  const WarningHandler before = set_warning_handler([](std::string_view text) { warned = text; });
  std::string config = sequential(layer("Dense", "a", R"("units":4)") + "," + layer("Dense", "b", R"("units":2)"));
  config.pop_back();
  config +=
      R"(,"compile_config":{"optimizer":{"class_name":"Adamax","config":{}},"loss":"my_loss","metrics":["mae","odd"]}})";
  const Sequential model = keras::parse(archive_of(config), "compiled");
  set_warning_handler(before);
  EXPECT_FALSE(model.compiled());
  EXPECT_EQ(
      warned,
      "compiled: the model is not compiled, because Cornu does not have: optimizer Adamax, loss my_loss, metric odd");
}

TEST(KerasRefusals, OfHdf5NameTheReason) {
  const auto text = [](const std::string& name) {
    const std::string bytes = keras_bytes("hostile_" + name + ".h5");
    return error_of<FormatError>([&] { keras::detail::Hdf5File(std::as_bytes(std::span(bytes)), "f"); });
  };
  EXPECT_EQ(text("soft_link"), "f: x: a link to another place, which is not followed");
  EXPECT_EQ(text("external_link"), "f: x: a link to another place, which is not followed");
  EXPECT_EQ(text("second_link"), "f: b: a second link to the same object");
  EXPECT_EQ(text("circle"), "f: a/b: a second link to the same object");
  EXPECT_EQ(text("virtual"), "f: a dataset has its values in other datasets (a virtual dataset)");
  EXPECT_EQ(text("other_file"), "f: a dataset has its values in other files");
  EXPECT_EQ(text("endless_name"), "f: a dataset has its values in other files");  // found by fuzzing
  EXPECT_EQ(text("no_values"), "f: x: no values are stored for it");
  EXPECT_EQ(text("filter"),
            "f: x: compressed by the filter 6 (scaleoffset); only gzip, shuffle and fletcher32 are read");
  EXPECT_EQ(text("deep"), "f: groups are nested more than 64 deep");
}

TEST(KerasRefusals, DamagedFilesThrowErrors) {
  const std::string whole = keras_bytes("hostile_second_link.h5"), small = keras_bytes("small.weights.h5");
  const auto read = [](const std::string& bytes) {
    try {
      keras::detail::Hdf5File(std::as_bytes(std::span(bytes)), "f");
      return true;
    } catch (const Error& error) {
      EXPECT_NE(*error.what(), '\0');
      return false;
    }
  };
  for (std::size_t length = 0; length < whole.size(); ++length) EXPECT_FALSE(read(whole.substr(0, length)));
  EXPECT_TRUE(read(small));
  Rng rng(1);
  Index refused = 0;
  for (int i = 0; i < 2000; ++i) {
    std::string damaged = small;
    char& byte = damaged[static_cast<std::size_t>(rng.below(static_cast<Index>(damaged.size())))];
    byte = static_cast<char>(byte ^ (1 << rng.below(8)));
    refused += !read(damaged);
  }
  EXPECT_GT(refused, 20);
  EXPECT_LT(refused, 1500);
}

}  // namespace
