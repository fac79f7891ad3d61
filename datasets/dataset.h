#pragma once

#include <concepts>
#include <cstddef>
#include <span>
#include <utility>

#include "cornu/core/shape.h"
#include "cornu/core/tensor.h"

namespace cornu {

/// A source of training samples: their number, the shape of one sample, and a function that copies samples into a
/// batch.
///
/// `gather` fills x, of shape (rows, feature_shape...), and y with the samples of the given rows, in that order. y
/// holds one label per sample, shape (rows). If the dataset has a function `Shape target_shape() const`, y has the
/// shape (rows, target_shape...). `gather` is const and may be called by several threads at once.
///
/// The optional function `void prefetch(std::span<const Index> rows) const` is given the rows that will be gathered
/// next, so that it can start to load them into the cache. It must accept any rows and must have no visible effect.
///
/// The optional function `Index split_gap() const` is for samples that share data with their neighbours, such as
/// overlapping windows: the number of samples after a sample that may share data with it. `split`, and fit's
/// validation_split, leave out that many samples between training and validation.
///
/// To write your own dataset, define a struct with these three functions:
///
///     struct Parity {  // Is an 8-bit number odd?
///       Index size() const { return 256; }
///       Shape feature_shape() const { return {8}; }
///       void gather(std::span<const Index> rows, View x, View y) const {
///         for (std::size_t i = 0; i < rows.size(); ++i) {
///           const auto row = static_cast<Index>(i);
///           for (int bit = 0; bit < 8; ++bit) x[row * 8 + bit] = static_cast<Real>(rows[i] >> bit & 1);
///           y[row] = static_cast<Real>(rows[i] & 1);
///         }
///       }
///     };
template <class D>
concept Dataset = requires(const D& dataset, std::span<const Index> rows, View x, View y) {
  { dataset.size() } -> std::convertible_to<Index>;
  { dataset.feature_shape() } -> std::convertible_to<Shape>;
  dataset.gather(rows, x, y);
};

/// A type-erased reference to any dataset: two pointers, cheap to copy, without ownership or allocation. The dataset
/// must outlive it, which is why it does not bind to temporaries. Default-constructed or constructed from a null
/// pointer, it is null, and using it throws StateError.
class DatasetRef {
 public:
  DatasetRef() = default;
  DatasetRef(std::nullptr_t) {}

  template <Dataset D>
  requires(!std::same_as<D, DatasetRef>) DatasetRef(const D& dataset) : object_(&dataset), calls_(&calls_of<D>) {}

  template <Dataset D>
  requires(!std::same_as<D, DatasetRef>) DatasetRef(const D* dataset)
      : object_(dataset), calls_(dataset ? &calls_of<D> : &no_calls) {}

  // Give the dataset a name: a temporary would be destroyed before it is read.
  template <Dataset D>
  requires(!std::same_as<D, DatasetRef>) DatasetRef(const D&& temporary)
  = delete;

  explicit operator bool() const { return object_ != nullptr; }

  Index size() const { return calls_->size(object_); }
  Shape feature_shape() const { return calls_->feature_shape(object_); }
  Shape target_shape() const { return calls_->target_shape(object_); }
  void gather(std::span<const Index> rows, View x, View y) const { calls_->gather(object_, rows, x, y); }
  /// Resizes x and y to hold these rows first.
  void gather_into(Tensor& x, Tensor& y, std::span<const Index> rows) const;
  void prefetch(std::span<const Index> rows) const { calls_->prefetch(object_, rows); }
  Index split_gap() const { return calls_->split_gap(object_); }

 private:
  struct Calls {
    Index (*size)(const void*);
    Shape (*feature_shape)(const void*);
    Shape (*target_shape)(const void*);
    void (*gather)(const void*, std::span<const Index>, View, View);
    void (*prefetch)(const void*, std::span<const Index>);
    Index (*split_gap)(const void*);
  };

  template <class D>
  static Shape target_shape_of(const D& dataset) {
    if constexpr (requires { dataset.target_shape(); }) {
      return dataset.target_shape();
    } else {
      return {};
    }
  }

  template <class D>
  static Index split_gap_of(const D& dataset) {
    if constexpr (requires { dataset.split_gap(); }) {
      return dataset.split_gap();
    } else {
      return 0;
    }
  }

  template <class D>
  static constexpr Calls calls_of{
      .size = [](const void* d) -> Index { return static_cast<const D*>(d)->size(); },
      .feature_shape = [](const void* d) -> Shape { return static_cast<const D*>(d)->feature_shape(); },
      .target_shape = [](const void* d) -> Shape { return target_shape_of(*static_cast<const D*>(d)); },
      .gather = [](const void* d, std::span<const Index> rows, View x,
                   View y) { static_cast<const D*>(d)->gather(rows, x, y); },
      .prefetch =
          [](const void* d, std::span<const Index> rows) {
            if constexpr (requires(const D& dataset) { dataset.prefetch(rows); }) {
              static_cast<const D*>(d)->prefetch(rows);
            }
          },
      .split_gap = [](const void* d) -> Index { return split_gap_of(*static_cast<const D*>(d)); }};
  static const Calls no_calls;

  const void* object_ = nullptr;
  const Calls* calls_ = &no_calls;
};

/// A dataset of two tensors, which it refers to and which must outlive it. x: (samples, feature_shape...). y: (samples)
/// or (samples, target_shape...).
class TensorPair {
 public:
  /// Throws ShapeError, naming both shapes, if the first axes differ.
  TensorPair(ConstView x, ConstView y);
  // Give the tensors names: temporaries would be destroyed before they are read.
  TensorPair(const Tensor&& x, ConstView y) = delete;
  TensorPair(ConstView x, const Tensor&& y) = delete;

  Index size() const { return x_.shape()[0]; }
  Shape feature_shape() const { return x_.shape().sub(1); }
  Shape target_shape() const { return y_.shape().sub(1); }
  /// Throws ValueError, naming row and size, for a row out of range, and ShapeError if x or y has the wrong size.
  void gather(std::span<const Index> rows, View x, View y) const;
  /// Starts to load these rows into the cache.
  void prefetch(std::span<const Index> rows) const;

 private:
  ConstView x_, y_;
};

/// A dataset that owns its two tensors.
class TensorDataset {
 public:
  /// Throws ShapeError, naming both shapes, if the first axes differ.
  TensorDataset(Tensor x, Tensor y) : x_(std::move(x)), y_(std::move(y)) { pair(); }

  const Tensor& x() const { return x_; }
  const Tensor& y() const { return y_; }

  Index size() const { return x_.shape()[0]; }
  Shape feature_shape() const { return x_.shape().sub(1); }
  Shape target_shape() const { return y_.shape().sub(1); }
  void gather(std::span<const Index> rows, View x, View y) const { pair().gather(rows, x, y); }
  void prefetch(std::span<const Index> rows) const { pair().prefetch(rows); }

 private:
  TensorPair pair() const { return {x_, y_}; }

  Tensor x_, y_;
};

/// Samples [first, first + count) of another dataset, without copying. The dataset must outlive it.
class DatasetSlice {
 public:
  /// Throws ValueError, naming range and size, if the range is not within the dataset.
  DatasetSlice(DatasetRef dataset, Index first, Index count);

  Index size() const { return count_; }
  Shape feature_shape() const { return dataset_.feature_shape(); }
  Shape target_shape() const { return dataset_.target_shape(); }
  /// Throws ValueError for a row out of range, and whatever the dataset throws.
  void gather(std::span<const Index> rows, View x, View y) const;
  void prefetch(std::span<const Index> rows) const;
  Index split_gap() const { return dataset_.split_gap(); }

 private:
  DatasetRef dataset_;
  Index first_, count_;
};

/// The two parts of a dataset. They refer to it.
struct Split {
  DatasetSlice train, validation;
};

/// Reserves the last samples for validation, like Keras's `validation_split`: training gets the first floor(size * (1 -
/// validation_fraction)) samples, validation the rest. If samples share data, as overlapping windows do, the
/// dataset's split_gap() samples between the two parts are left out of both, and `size` is the number of the others.
/// Throws ValueError unless 0 < validation_fraction < 1 and both parts have samples.
Split split(DatasetRef dataset, double validation_fraction);

namespace detail {

/// Checks the arguments of a gather: rows in [0, size), and views of exactly the size for these rows.
void check_gather(const char* where, std::span<const Index> rows, Index size, Index feature_size, Index target_size,
                  const View& x, const View& y);

/// Starts to load memory into the cache.
inline void prefetch(const void* memory, std::size_t bytes) {
  constexpr std::size_t line = 64;
  asm volatile("");  // otherwise g++ drops calls of this function as having no effect
  for (std::size_t at = 0; at < bytes; at += line) __builtin_prefetch(static_cast<const char*>(memory) + at);
  if (bytes > 0) __builtin_prefetch(static_cast<const char*>(memory) + bytes - 1);
}

}  // namespace detail

}  // namespace cornu
