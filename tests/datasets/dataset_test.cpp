#include "cornu/datasets/dataset.h"

#include <gtest/gtest.h>

#include <limits>
#include <numeric>
#include <type_traits>
#include <vector>

#include "cornu/core/error.h"
#include "cornu/datasets/image_dataset.h"
#include "cornu/datasets/one_hot.h"
#include "cornu/tests/support/expect_error.h"
#include "cornu/tests/support/parity.h"
#include "cornu/tests/support/tensors.h"

namespace cornu {
namespace {

using testing::counted;
using testing::error_of;
using testing::Parity;

/// Samples 0 to n - 1: two features (10 i, 10 i + 1) and the label i.
TensorDataset numbered(Index n) {
  Tensor x({n, 2}), y({n});
  for (Index i = 0; i < n; ++i) {
    x[2 * i] = static_cast<Real>(10 * i);
    x[2 * i + 1] = static_cast<Real>(10 * i + 1);
    y[i] = static_cast<Real>(i);
  }
  return {x, y};
}

struct Gathered {
  Tensor x, y;
};

Gathered gather(DatasetRef dataset, const std::vector<Index>& rows) {
  const auto count = static_cast<Index>(rows.size());
  Gathered result{Tensor(dataset.feature_shape().batched(count)), Tensor(dataset.target_shape().batched(count))};
  dataset.gather(rows, result.x, result.y);
  return result;
}

TEST(Dataset, IsAnyTypeWithSizeFeatureShapeAndGather) {
  static_assert(Dataset<Parity> && Dataset<TensorDataset> && Dataset<ImageDataset>);
  static_assert(Dataset<DatasetSlice> && Dataset<OneHot> && Dataset<DatasetRef>);
  static_assert(!Dataset<Tensor> && !Dataset<int>);
  const Parity parity;
  const auto [x, y] = gather(parity, {5, 2});
  EXPECT_EQ(x, Tensor::matrix({{1, 0, 1, 0, 0, 0, 0, 0}, {0, 1, 0, 0, 0, 0, 0, 0}}));
  EXPECT_EQ(y, Tensor::vector({1, 0}));
}

TEST(DatasetRef, RefersByReferenceOrPointerAndHasTheSizeOfTwoPointers) {
  static_assert(std::is_trivially_copyable_v<DatasetRef> && sizeof(DatasetRef) == 2 * sizeof(void*));
  const Parity parity;
  const DatasetRef by_reference = parity;
  const DatasetRef by_pointer = &parity;
  EXPECT_TRUE(by_reference);
  EXPECT_EQ(by_reference.size(), 256);
  EXPECT_EQ(by_pointer.feature_shape(), (Shape{8}));
  EXPECT_EQ(by_pointer.target_shape(), Shape{}) << "one label per sample, unless the dataset says otherwise";
}

TEST(DatasetRef, DoesNotBindToATemporary) {
  static_assert(!std::is_constructible_v<DatasetRef, Parity>);
  static_assert(!std::is_constructible_v<DatasetRef, const TensorDataset>);
  static_assert(std::is_constructible_v<DatasetRef, DatasetRef>);
  static_assert(!std::is_constructible_v<OneHot, TensorDataset, Index>);
  static_assert(std::is_constructible_v<TensorPair, Tensor&, Tensor&>);
  static_assert(!std::is_constructible_v<TensorPair, Tensor, Tensor&>);
  static_assert(!std::is_constructible_v<TensorPair, Tensor&, Tensor>);
}

TEST(DatasetRef, IsNullByDefaultAndThrowsOnUse) {
  const Parity* none = nullptr;
  for (const DatasetRef null : {DatasetRef(), DatasetRef(nullptr), DatasetRef(none)}) {
    EXPECT_FALSE(null);
    EXPECT_EQ(error_of<StateError>([&] { null.size(); }),
              "DatasetRef: it refers to no dataset (was it constructed from a null pointer?)");
    EXPECT_THROW(null.feature_shape(), StateError);
    EXPECT_THROW(null.target_shape(), StateError);
    EXPECT_THROW(null.gather({}, View(), View()), StateError);
  }
}

TEST(TensorDataset, GathersRowsInTheRequestedOrder) {
  const TensorDataset dataset = numbered(5);
  EXPECT_EQ(dataset.size(), 5);
  EXPECT_EQ(dataset.feature_shape(), (Shape{2}));
  const auto [x, y] = gather(dataset, {4, 0, 4});
  EXPECT_EQ(x, Tensor::matrix({{40, 41}, {0, 1}, {40, 41}}));
  EXPECT_EQ(y, Tensor::vector({4, 0, 4}));
}

TEST(TensorDataset, AcceptsTargetsOfAnyShape) {
  const TensorDataset dataset{counted({3, 2, 2}), counted({3, 2})};
  EXPECT_EQ(dataset.target_shape(), (Shape{2}));
  const auto [x, y] = gather(dataset, {2});
  EXPECT_EQ(x, Tensor(Shape{1, 2, 2}, {8, 9, 10, 11}));
  EXPECT_EQ(y, Tensor::matrix({{4, 5}}));
}

TEST(TensorDataset, RejectsTensorsWithDifferentNumbersOfSamples) {
  EXPECT_EQ(error_of<ShapeError>([] {
              TensorDataset(counted({3, 2}), counted({4}));
            }),
            "TensorDataset: x is (3, 2) but y is (4,); their first axes count the samples and must agree");
  EXPECT_THROW(TensorDataset(Tensor::scalar(1), Tensor::scalar(1)), ShapeError);
}

TEST(TensorDataset, RejectsRowsOutOfRangeAndViewsOfTheWrongSize) {
  const TensorDataset dataset = numbered(5);
  EXPECT_EQ(error_of<ValueError>([&] {
              gather(dataset, {1, 5});
            }),
            "TensorDataset: row 5 is out of range; there are 5 rows");
  EXPECT_THROW(gather(dataset, {-1}), ValueError);
  Tensor x({2, 2}), y({1});
  const std::vector<Index> rows{0};
  EXPECT_EQ(error_of<ShapeError>([&] { dataset.gather(rows, x, y); }),
            "TensorDataset: x is (2, 2); 1 rows of 2 elements are required");
  EXPECT_EQ(error_of<ShapeError>([&] {
              dataset.gather(rows, View(x.data(), {1, 2}), Tensor({3}));
            }),
            "TensorDataset: y is (3,); 1 rows of 1 elements are required");
}

TEST(ImageDataset, DividesPixelsBy255WithCorrectRounding) {
  std::vector<std::uint8_t> pixels(256);
  std::iota(pixels.begin(), pixels.end(), std::uint8_t{0});
  const ImageDataset dataset(pixels, {7}, {.shape = {16, 16}});
  const auto [x, y] = gather(dataset, {0});
  for (Index v = 0; v < 256; ++v) EXPECT_EQ(x[v], static_cast<Real>(static_cast<long double>(v) / 255)) << v;
  EXPECT_EQ(x[255], 1);
  EXPECT_EQ(y, Tensor::vector({7}));
}

TEST(ImageDataset, ReturnsItsBytesLabelsAndClasses) {
  const ImageDataset dataset({1, 2, 3, 4, 5, 6}, {1, 0, 1},
                             {.shape = {1, 2}, .classes = 2, .class_names = {"cat", "dog"}});
  EXPECT_EQ(dataset.size(), 3);
  EXPECT_EQ(dataset.feature_shape(), (Shape{1, 2}));
  EXPECT_EQ(dataset.image(1)[0], 3);
  EXPECT_EQ(dataset.image(1).size(), 2u);
  EXPECT_EQ(dataset.label(2), 1);
  EXPECT_EQ(dataset.classes(), 2);
  EXPECT_EQ(dataset.class_name(1), "dog");
  EXPECT_EQ(dataset.pixels().size(), 6u);
  EXPECT_EQ(dataset.labels()[0], 1);
  EXPECT_EQ(ImageDataset().size(), 0);
  EXPECT_EQ(ImageDataset().feature_shape(), (Shape{28, 28}));
  EXPECT_EQ(ImageDataset().class_name(3), "3");
}

TEST(ImageDataset, RejectsInconsistentArguments) {
  const ImageOptions two_pixels{.shape = {2}, .classes = 3};
  EXPECT_EQ(error_of<ShapeError>([&] {
              ImageDataset({1, 2, 3}, {0, 1}, two_pixels);
            }),
            "ImageDataset: 2 labels need 4 pixels for images of (2,), but 3 were given");
  EXPECT_EQ(error_of<ValueError>([&] {
              ImageDataset({1, 2, 3, 4}, {0, 3}, two_pixels);
            }),
            "ImageDataset: label 3 in row 1; labels must be below 3");
  EXPECT_EQ(error_of<ValueError>([&] { ImageDataset({}, {}, {.classes = 257}); }),
            "ImageDataset: 257 classes; there must be at least 1 and at most 256");
  EXPECT_EQ(error_of<ValueError>([&] { ImageDataset({}, {}, {.classes = 3, .class_names = {"one"}}); }),
            "ImageDataset: 1 class names were given for 3 classes");
  const ImageDataset dataset({1, 2}, {0}, two_pixels);
  EXPECT_EQ(error_of<ValueError>([&] { gather(dataset, {1}); }),
            "ImageDataset: row 1 is out of range; there are 1 rows");
  EXPECT_THROW(dataset.image(-1), ValueError);
  EXPECT_THROW(dataset.label(1), ValueError);
  EXPECT_EQ(error_of<ValueError>([&] { dataset.class_name(3); }),
            "ImageDataset: class 3 is out of range; there are 3 classes");
}

TEST(Split, ReservesTheLastSamplesForValidation) {
  const TensorDataset dataset = numbered(10);
  const auto [train, validation] = split(dataset, 0.25);  // floor(7.5) for training, as in Keras
  EXPECT_EQ(train.size(), 7);
  EXPECT_EQ(validation.size(), 3);
  EXPECT_EQ(gather(train, {0, 6}).y, Tensor::vector({0, 6}));
  EXPECT_EQ(gather(validation, {0, 2}).y, Tensor::vector({7, 9}));
  EXPECT_EQ(gather(validation, {1}).x, Tensor::matrix({{80, 81}}));
  EXPECT_EQ(validation.feature_shape(), (Shape{2}));
}

TEST(Split, RejectsAFractionThatLeavesAPartEmpty) {
  const TensorDataset dataset = numbered(3);
  EXPECT_EQ(error_of<ValueError>([&] { split(dataset, 1.5); }),
            "split: validation_fraction is 1.5; it must lie between 0 and 1");
  EXPECT_THROW(split(dataset, 0), ValueError);
  EXPECT_THROW(split(dataset, std::numeric_limits<double>::quiet_NaN()), ValueError);
  EXPECT_EQ(
      error_of<ValueError>([&] { split(dataset, 0.9); }),
      "split: of 3 samples, validation_fraction 0.9 leaves 0 for training and 3 for validation; both need samples");
}

TEST(DatasetSlice, GathersMoreRowsThanFitItsBuffer) {
  const TensorDataset dataset = numbered(1000);
  const DatasetSlice slice(dataset, 100, 800);
  std::vector<Index> rows(800);
  std::iota(rows.rbegin(), rows.rend(), Index{0});
  const auto [x, y] = gather(slice, rows);
  for (Index i = 0; i < 800; ++i) {
    EXPECT_EQ(y[i], static_cast<Real>(899 - i));
    EXPECT_EQ(x[2 * i + 1], static_cast<Real>(10 * (899 - i) + 1));
  }
}

TEST(DatasetSlice, RejectsRowsOutOfRange) {
  const TensorDataset dataset = numbered(5);
  EXPECT_EQ(error_of<ValueError>([&] { DatasetSlice(dataset, 3, 3); }),
            "DatasetSlice: 3 samples from 3 on are out of range; the dataset has 5");
  EXPECT_THROW(DatasetSlice(dataset, -1, 2), ValueError);
  EXPECT_THROW(DatasetSlice(dataset, 1, std::numeric_limits<Index>::max()), ValueError);
  const DatasetSlice slice(dataset, 1, 2);
  EXPECT_EQ(error_of<ValueError>([&] { gather(slice, {2}); }), "DatasetSlice: row 2 is out of range; there are 2 rows");
}

TEST(OneHot, HasAOneAtTheLabel) {
  EXPECT_EQ(one_hot(Tensor::vector({2, 0}), 3), Tensor::matrix({{0, 0, 1}, {1, 0, 0}}));
  EXPECT_EQ(one_hot(Tensor::matrix({{1}, {0}}), 2).shape(), (Shape{2, 1, 2}));
  EXPECT_EQ(one_hot(Tensor(Shape{0}), 4).shape(), (Shape{0, 4}));
}

TEST(OneHot, NamesTheRowOfAnInvalidLabel) {
  EXPECT_EQ(error_of<ValueError>([] {
              one_hot(Tensor::vector({0, 3}), 3);
            }),
            "one_hot: label 3 in row 1; labels must be whole numbers from 0 to 2");
  EXPECT_EQ(error_of<ValueError>([] { one_hot(Tensor::vector({0.5}), 3); }),
            "one_hot: label 0.5 in row 0; labels must be whole numbers from 0 to 2");
  EXPECT_THROW(one_hot(Tensor::vector({-1}), 3), ValueError);
  EXPECT_THROW(one_hot(Tensor::vector({std::numeric_limits<Real>::quiet_NaN()}), 3), ValueError);
  EXPECT_THROW(one_hot(Tensor::vector({std::numeric_limits<Real>::infinity()}), 3), ValueError);
  EXPECT_EQ(error_of<ValueError>([] { one_hot(Tensor::vector({0}), 0); }),
            "one_hot: 0 classes; there must be at least 1");
}

TEST(OneHot, EncodesTheLabelsOfADataset) {
  const TensorDataset dataset = numbered(4);
  for (const Index classes : {4, 7}) {
    const OneHot encoded(dataset, classes);
    EXPECT_EQ(encoded.target_shape(), (Shape{classes}));
    const auto [x, y] = gather(encoded, {3, 1, 0, 2});
    EXPECT_EQ(x, gather(dataset, {3, 1, 0, 2}).x);
    EXPECT_EQ(y, one_hot(Tensor::vector({3, 1, 0, 2}), classes));
  }
  const TensorDataset zeros{counted({3, 1}), Tensor(Shape{3})};
  const OneHot single(zeros, 1);
  EXPECT_EQ(gather(single, {0, 1, 2}).y, Tensor::matrix({{1}, {1}, {1}}));
}

TEST(OneHot, NamesTheDatasetRowOfAnInvalidLabel) {
  const TensorDataset dataset = numbered(6);
  const OneHot encoded(dataset, 3);
  EXPECT_EQ(error_of<ValueError>([&] {
              gather(encoded, {1, 5, 2});
            }),
            "one_hot: label 5 in row 5; labels must be whole numbers from 0 to 2");
  const TensorDataset vectors{counted({2, 1}), counted({2, 3})};
  EXPECT_EQ(error_of<ShapeError>([&] { OneHot(vectors, 3); }),
            "OneHot: the dataset's targets are (3,); they must be single labels, ()");
}

}  // namespace
}  // namespace cornu
