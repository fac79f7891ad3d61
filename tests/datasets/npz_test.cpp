#include "cornu/datasets/npz.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <numeric>
#include <vector>

#include "cornu/core/error.h"
#include "cornu/datasets/subset.h"
#include "cornu/formats/npy/npy.h"
#include "cornu/tests/support/allocation_counter.h"
#include "cornu/tests/support/expect_error.h"
#include "cornu/tests/support/print.h"
#include "cornu/tests/support/temporary_folder.h"

namespace cornu {
namespace {

using testing::expect_error;
using testing::TemporaryFolder;

template <class T>
RawTensor array(const char* name, Dtype dtype, std::vector<Index> shape, const std::vector<T>& numbers) {
  return {.name = name, .dtype = dtype, .shape = std::move(shape), .bytes = std::as_bytes(std::span(numbers))};
}

/// 2 x 128 images of one pixel each, with all 256 values.
std::vector<std::uint8_t> every_pixel() {
  std::vector<std::uint8_t> result(256);
  std::iota(result.begin(), result.end(), std::uint8_t{0});
  return result;
}

Tensor every_pixel_scaled(const Shape& shape) {
  Tensor result(shape);
  for (Index i = 0; i < 256; ++i) result[i] = static_cast<Real>(i) / 255;
  return result;
}

TEST(ArrayDataset, ScalesByteImagesForAnyTargets) {
  const auto pixels = every_pixel();
  const RawTensor x = array("x", Dtype::u8, {2, 8, 16}, pixels);
  const std::vector<std::int64_t> labels{9, 255};
  const std::vector<std::int32_t> more{9, 256}, negative{-1, 9};
  const std::vector<float> numbers{0.5F, 1};
  for (const RawTensor& y : {array("y", Dtype::i64, {2}, labels), array("y", Dtype::i32, {2}, more),
                             array("y", Dtype::i32, {2}, negative), array("y", Dtype::f32, {2}, numbers)}) {
    const ArrayDataset data(x, y);
    EXPECT_EQ(data.size(), 2);
    EXPECT_EQ(data.feature_shape(), (Shape{8, 16}));
    EXPECT_EQ(data.target_shape(), Shape{});
    const TensorDataset all = gathered(data);
    EXPECT_EQ(all.x(), every_pixel_scaled({2, 8, 16}));
    EXPECT_EQ(all.y(), to_tensor(y));
  }
  const std::vector<std::uint8_t> one_hot{0, 1, 1, 0};
  const ArrayDataset data(x, array("y", Dtype::u8, {2, 2}, one_hot));
  EXPECT_EQ(data.target_shape(), (Shape{2}));
  EXPECT_EQ(gathered(data).x(), every_pixel_scaled({2, 8, 16}));
  EXPECT_EQ(gathered(data).y(), Tensor::matrix({{0, 1}, {1, 0}}));
  const std::vector<std::uint8_t> label{3};
  const ArrayDataset coloured(array("x", Dtype::u8, {1, 8, 8, 4}, pixels), array("y", Dtype::u8, {1}, label));
  EXPECT_EQ(coloured.feature_shape(), (Shape{8, 8, 4}));
}

TEST(ArrayDataset, KeepsOtherValuesUnchanged) {
  const std::vector<std::uint8_t> bytes{0, 100, 200, 255}, labels{0, 1};
  const ArrayDataset table(array("x", Dtype::u8, {2, 2}, bytes), array("y", Dtype::u8, {2, 1}, labels));
  EXPECT_EQ(table.feature_shape(), (Shape{2}));
  EXPECT_EQ(table.target_shape(), (Shape{1}));
  EXPECT_EQ(gathered(table).x(), Tensor::matrix({{0, 100}, {200, 255}}));
  const std::vector<float> pixels{0, 100, 200, 255};
  const ArrayDataset images(array("x", Dtype::f32, {2, 2, 1}, pixels), array("y", Dtype::u8, {2}, labels));
  EXPECT_EQ(gathered(images).x(), Tensor({2, 2, 1}, {0, 100, 200, 255}));
  EXPECT_EQ(gathered(images).y(), Tensor::vector({0, 1}));
  images.prefetch(std::vector<Index>{0, 7});
}

TEST(ArrayDataset, GatherAllocatesNothing) {
  if (!testing::AllocationCounter::available()) GTEST_SKIP() << "allocations cannot be counted in this build";
  const auto pixels = every_pixel();
  const std::vector<std::uint8_t> labels(16);
  const RawTensor y = array("y", Dtype::u8, {16}, labels);
  const ArrayDataset images(array("x", Dtype::u8, {16, 4, 4}, pixels), y);
  const ArrayDataset table(array("x", Dtype::u8, {16, 16}, pixels), y);
  const std::vector<Index> rows{3, 15, 0};
  Tensor x({3, 16}), targets({3});
  const testing::AllocationCounter counter;
  for (const ArrayDataset* data : {&images, &table}) {
    data->prefetch(rows);
    data->gather(rows, x, targets);
  }
  EXPECT_EQ(counter.count(), 0);
}

TEST(ArrayDataset, RejectsInconsistentArrays) {
  const std::vector<std::uint8_t> bytes(6), byte(1);
  const RawTensor six = array("six", Dtype::u8, {6}, bytes),
                  scalar = array("one", Dtype::u8, {}, std::vector{bytes[0]});
  const auto refused = [](const RawTensor& x, const RawTensor& y, const std::string& text) {
    expect_error<ShapeError>([&] { ArrayDataset(x, y); }, text);
  };
  refused(array("x", Dtype::u8, {2, 3}, bytes), six,
          "\"x\" is (2, 3) but \"six\" is (6,); their first axes count the samples and must agree");
  refused(six, scalar, "\"six\" is (6,) but \"one\" is (); their first axes count the samples and must agree");
  refused(scalar, six, "\"one\" is () but \"six\" is (6,); their first axes count the samples and must agree");
  expect_error<FormatError>(
      [&] {
        ArrayDataset(array("x", Dtype::u8, {6, 1, 1, 1, 1, 1, 1, 1, 1}, bytes), six);
      },
      "\"x\": (6, 1, 1, 1, 1, 1, 1, 1, 1) has more than 8 dimensions");
}

TEST(ArrayDataset, AcceptsArraysOfNpyFiles) {
  const TemporaryFolder folder;
  write_npy(folder / "x.npy", Tensor::matrix({{1, 2}, {3, 4}}));
  write_npy(folder / "y.npy", Tensor::vector({5, 6}));
  const ArrayDataset data(NpyFile(folder / "x.npy").array(), NpyFile(folder / "y.npy").array());
  EXPECT_EQ(gathered(data).x(), Tensor::matrix({{1, 2}, {3, 4}}));
  EXPECT_EQ(gathered(data).y(), Tensor::vector({5, 6}));
}

class NpzDatasets : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!has_npz()) GTEST_SKIP() << "built without libzip";
  }

  /// Three training and two test images, in the order of Keras's mnist.npz.
  void write(const std::string& y_train = "y_train", Index test_label_count = 2) const {
    const auto part = [&](const char* name, std::vector<Index> shape, std::size_t bytes) {
      return RawTensor{name, Dtype::u8, std::move(shape), std::as_bytes(std::span(pixels)).subspan(5, bytes)};
    };
    write_npz(path,
              std::vector<RawTensor>{part("x_test", {2, 4, 16}, 128), part("x_train", {3, 4, 16}, 192),
                                     part(y_train.c_str(), {3}, 3),
                                     part("y_test", {test_label_count}, static_cast<std::size_t>(test_label_count))},
              {.compressed = true});
  }

  const TemporaryFolder folder;
  const std::string path = (folder / "mnist.npz").string();
  const std::vector<std::uint8_t> pixels = every_pixel();
};

TEST_F(NpzDatasets, AreSplitIntoTrainAndTest) {
  write();
  const auto [train, test] = datasets::npz(path);
  EXPECT_EQ(train.size(), 3);
  EXPECT_EQ(test.size(), 2);
  EXPECT_EQ(DatasetRef(train).feature_shape(), (Shape{4, 16}));
  EXPECT_EQ(gathered(train).y(), Tensor::vector({5, 6, 7}));
  EXPECT_EQ(gathered(test).y(), Tensor::vector({5, 6}));
  EXPECT_EQ(gathered(test).x()[127], Real(132) / 255);
}

TEST_F(NpzDatasets, CanHaveOtherArrayNames) {
  write("labels");
  EXPECT_EQ(datasets::npz(path, {.y_train = "labels"}).train.size(), 3);
  EXPECT_EQ(datasets::npz(NpzFile(path), {.y_train = "labels"}).test.size(), 2);
  expect_error<FormatError>([&] { datasets::npz(path); },
                            path + ": there is no array \"y_train\"; there are: x_test, x_train, labels, y_test");
}

TEST_F(NpzDatasets, NameTheFileInErrors) {
  write("y_train", 3);
  expect_error<ShapeError>([&] { datasets::npz(path); }, path +
                                                             ": \"x_test\" is (2, 4, 16) but \"y_test\" is (3,); "
                                                             "their first axes count the samples and must agree");
}

}  // namespace
}  // namespace cornu
