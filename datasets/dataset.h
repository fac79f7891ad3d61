#pragma once

#include <concepts>
#include <cstddef>
#include <span>
#include <utility>

#include "cornu/core/shape.h"
#include "cornu/core/tensor.h"

namespace cornu {

/// Samples that can be learnt from: how many there are, the shape of one, and how to put some of them in a batch.
///
/// `gather` fills x, of shape (rows, feature_shape...), and y with the samples of the given rows, in their order. y has
/// one label a sample, shape (rows), unless the dataset says otherwise by `Shape target_shape() const`: then it has the
/// shape (rows, target_shape...). `gather` is const and may be called by several threads at once.
///
/// Where there is a `void prefetch(std::span<const Index> rows) const`, it is told which rows will be gathered next, to
/// begin fetching them from memory. It must take any rows, and does nothing that can be seen.
///
/// A dataset of one's own is a struct with these three functions:
///
///     struct Parity {  // Is a number of eight bits odd?
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

/// Any dataset, seen through two pointers: copied freely, owns nothing, allocates nothing. What it refers to must
/// outlive it, which is why it cannot be made from a temporary. Made from nothing or from a null pointer, it is null;
/// using it then throws StateError.
class DatasetRef {
 public:
  DatasetRef() = default;
  DatasetRef(std::nullptr_t) {}

  template <Dataset D>
  requires(!std::same_as<D, DatasetRef>) DatasetRef(const D& dataset) : object_(&dataset), calls_(&calls_of<D>) {}

  template <Dataset D>
  requires(!std::same_as<D, DatasetRef>) DatasetRef(const D* dataset)
      : object_(dataset), calls_(dataset ? &calls_of<D> : &no_calls) {}

  // Give the dataset a name: a temporary would be gone before it is read.
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

 private:
  struct Calls {
    Index (*size)(const void*);
    Shape (*feature_shape)(const void*);
    Shape (*target_shape)(const void*);
    void (*gather)(const void*, std::span<const Index>, View, View);
    void (*prefetch)(const void*, std::span<const Index>);
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
          }};
  static const Calls no_calls;

  const void* object_ = nullptr;
  const Calls* calls_ = &no_calls;
};

/// Two tensors of somebody else's, sample by sample: x is (samples, feature_shape...), y is (samples) or
/// (samples, target_shape...). They are read where they are and must outlive this.
class TensorPair {
 public:
  /// Throws ShapeError, naming both shapes, unless the first axes agree.
  TensorPair(ConstView x, ConstView y);
  // Give the tensors names: temporaries would be gone before they are read.
  TensorPair(const Tensor&& x, ConstView y) = delete;
  TensorPair(ConstView x, const Tensor&& y) = delete;

  Index size() const { return x_.shape()[0]; }
  Shape feature_shape() const { return x_.shape().sub(1); }
  Shape target_shape() const { return y_.shape().sub(1); }
  /// Throws ValueError, naming row and size, for a row out of range, and ShapeError if x or y has no room for the rows.
  void gather(std::span<const Index> rows, View x, View y) const;
  /// Begins to fetch these rows from memory.
  void prefetch(std::span<const Index> rows) const;

 private:
  ConstView x_, y_;
};

/// The same with tensors of its own.
class TensorDataset {
 public:
  /// Throws ShapeError, naming both shapes, unless the first axes agree.
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

/// Samples [first, first + count) of another dataset, which it refers to and does not copy.
class DatasetSlice {
 public:
  /// Throws ValueError, naming the range and the size, unless the dataset has these samples.
  DatasetSlice(DatasetRef dataset, Index first, Index count);

  Index size() const { return count_; }
  Shape feature_shape() const { return dataset_.feature_shape(); }
  Shape target_shape() const { return dataset_.target_shape(); }
  /// Throws ValueError for a row out of range, and what the dataset throws.
  void gather(std::span<const Index> rows, View x, View y) const;
  void prefetch(std::span<const Index> rows) const;

 private:
  DatasetRef dataset_;
  Index first_, count_;
};

/// The two parts of a dataset, as views of it.
struct Split {
  DatasetSlice train, validation;
};

/// Keeps the last samples for validation, as Keras's `validation_split` does: training gets the first
/// floor(size * (1 - validation_fraction)) samples, validation the rest.
/// Throws ValueError unless 0 < validation_fraction < 1 and neither part is empty.
Split split(DatasetRef dataset, double validation_fraction);

namespace detail {

/// What every gather checks of its caller: rows in [0, size), and views with room for just these rows.
void check_gather(const char* where, std::span<const Index> rows, Index size, Index feature_size, Index target_size,
                  const View& x, const View& y);

/// Asks for memory that will be read soon.
inline void prefetch(const void* memory, std::size_t bytes) {
  constexpr std::size_t line = 64;
  asm volatile("");  // To g++ a function that does nothing but this has no effect, and it leaves calls of it out.
  for (std::size_t at = 0; at < bytes; at += line) __builtin_prefetch(static_cast<const char*>(memory) + at);
  if (bytes > 0) __builtin_prefetch(static_cast<const char*>(memory) + bytes - 1);
}

}  // namespace detail

}  // namespace cornu
