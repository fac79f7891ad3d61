#pragma once

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "cornu/core/error.h"
#include "cornu/core/ops/comparisons.h"
#include "cornu/core/ops/images.h"
#include "cornu/core/ops/ops.h"
#include "cornu/core/ops/sequences.h"

/// Uses of each op in a model that may stream, and whether they do.
namespace cornu::testing {

/// The steps of the sequences: no other axis of a value has as many positions, or as many as windows over them.
constexpr Index stream_steps = 11;

/// Where a value has its steps.
struct Place {
  Shape shape;
  Index time;         // an axis; 0: a row for each step; -1: it has no steps, because it is known after the last one
  bool late = false;  // its rows come after a delay, or not at each step

  Index rank() const { return shape.rank(); }
  bool is_each() const { return time < 1; }  // any op on its rows acts on each step by itself
};

struct OpUse {
  std::string name;
  std::function<Var(Var v, Index time)> formula;
  /// Values that the formula takes, and those for which it can be computed step by step.
  std::function<bool(const Place&)> takes = [](const Place&) { return true; };
  std::function<bool(const Place&)> streams = [](const Place&) { return true; };
  std::function<Index(const Place&)> stride = [](const Place&) { return 1; };  // in time
  bool whole_numbers = false;                                                  // of the input, from 0 to 4
};
using OpUses = std::vector<OpUse>;

/// A constant with positive elements that differ.
inline Var fixed(Var v, const Shape& shape) {
  Tensor x(shape);
  for (Index i = 0; i < x.size(); ++i) x[i] = Real(0.3) + Real(0.13) * static_cast<Real>(i * 7 % 8);
  return v.tape().constant(x);
}
/// A constant of the shape of v, the same for each sample.
inline Var fixed_like(Var v) {
  Tensor x(v.shape());
  for (Index i = 0; i < x.size(); ++i) x[i] = Real(0.1) * static_cast<Real>(i % (x.size() / v.shape()[0]) % 23);
  return v.tape().constant(x);
}

inline auto has_axis(Index axis) {
  return [=](const Place& at) { return axis < at.rank(); };
}
inline auto other_than(Index axis) {
  return [=](const Place& at) { return at.time != axis; };
}
/// A row of a constant is at hand for each step only.
inline bool is_on_time(const Place& at) { return !at.late; }
inline bool keeps_last(const Place& at) { return at.time != at.rank() - 1; }

inline OpUses each_value(Var (*f)(Var)) {
  return {{"any value", [=](Var v, Index) { return f(v); }}};
}

inline OpUses two_values(Var (*f)(Var, Var)) {
  OpUses uses{
      {"a number", [=](Var v, Index) { return f(v, fixed(v, {})); }},
      {"a number before", [=](Var v, Index) { return f(fixed(v, {}), v); }},
      {"two values", [=](Var v, Index) { return f(v, tanh(v)); }},
      {.name = "a constant for each step",
       .formula = [=](Var v, Index) { return f(v, fixed(v, v.shape().sub(1))); },
       .streams = is_on_time},
      {.name = "a constant for each step before",
       .formula = [=](Var v, Index) { return f(fixed(v, v.shape().sub(1)), v); },
       .streams = is_on_time},
      {.name = "the last step and each step",
       .formula = [=](Var v, Index time) { return f(v, slice_axis(v, time, -1, v.shape()[time])); },
       .takes = [](const Place& at) { return at.time > 0; },
       .streams = [](const Place&) { return false; }},
  };
  for (const Index axis : {1, 2, 3}) {
    uses.push_back({.name = message("a part of axis {}", axis),
                    .formula = [=](Var v, Index) { return f(v, slice_axis(v, axis, 0, 1)); },
                    .takes = [=](const Place& at) { return axis < at.rank() && axis != at.time; }});
  }
  return uses;
}

/// An op along each axis but the batch's: it needs all positions of that axis.
template <class F>
OpUses along_axes(F f) {
  OpUses uses;
  for (const Index axis : {1, 2, 3}) {
    uses.push_back({.name = message("axis {}", axis),
                    .formula = [=](Var v, Index) { return f(v, axis); },
                    .takes = has_axis(axis),
                    .streams = other_than(axis)});
  }
  return uses;
}

template <class F>
OpUses reductions(F f) {
  OpUses uses = along_axes([=](Var v, Index axis) { return f(v, axis, ReduceOptions{}); });
  for (OpUse& use : along_axes([=](Var v, Index axis) { return f(v, axis, ReduceOptions{.keepdims = true}); })) {
    uses.push_back(std::move(use));
  }
  return uses;
}

inline OpUses affine_uses() {
  return {{.name = "features",
           .formula =
               [](Var v, Index) {
                 return affine(v, fixed(v, {v.shape()[-1], 3}), fixed(v, {3}));
               },
           .streams = keeps_last}};
}

inline OpUses matmul_uses() {
  const auto is_matrix = [](const Place& at) { return at.rank() > 2; };
  const auto keeps_rows = [](const Place& at) { return at.time != at.rank() - 2; };
  const auto keeps_both = [=](const Place& at) { return keeps_rows(at) && keeps_last(at); };
  return {
      {.name = "x w",
       .formula =
           [](Var v, Index) {
             return matmul(v, fixed(v, {v.shape()[-1], 3}));
           },
       .streams = keeps_last},
      {.name = "x w^T",
       .formula =
           [](Var v, Index) {
             return matmul(v, fixed(v, {3, v.shape()[-1]}), {.transpose_b = true});
           },
       .streams = keeps_last},
      {.name = "x vector",
       .formula = [](Var v, Index) { return matmul(v, fixed(v, {v.shape()[-1]})); },
       .streams = keeps_last},
      {.name = "x^T w",
       .formula =
           [](Var v, Index) {
             return matmul(v, fixed(v, {v.shape()[-2], 3}), {.transpose_a = true});
           },
       .takes = is_matrix,
       .streams = keeps_rows},
      {.name = "w x",
       .formula =
           [](Var v, Index) {
             return matmul(fixed(v, {3, v.shape()[-2]}), v);
           },
       .takes = is_matrix,
       .streams = keeps_rows},
      {.name = "x x^T",
       .formula = [](Var v, Index) { return matmul(v, v, {.transpose_b = true}); },
       .takes = is_matrix,
       .streams = keeps_both},
      {.name = "x^T x",
       .formula = [](Var v, Index) { return matmul(v, v, {.transpose_a = true}); },
       .takes = is_matrix,
       .streams = keeps_both},
      {.name = "a matrix for each position of axis 1",
       .formula =
           [](Var v, Index) {
             return matmul(v, fixed(v, {v.shape()[1], v.shape()[-1], 3}));
           },
       .takes = [](const Place& at) { return at.rank() == 4; },
       .streams = [](const Place& at) { return at.time != 1 && at.time != 3; }},
  };
}

inline OpUses layer_normalization_uses() {
  OpUses uses;
  for (const Index axes : {1, 2, 3}) {
    uses.push_back({.name = message("{} axes", axes),
                    .formula =
                        [=](Var v, Index) {
                          const Shape last = v.shape().sub(v.rank() - axes);
                          return layer_normalization(v, fixed(v, last), fixed(v, last), {.axes = axes});
                        },
                    .takes = has_axis(axes),
                    .streams = [=](const Place& at) { return at.time < at.rank() - axes; }});
  }
  return uses;
}

inline OpUses reshape_uses() {
  return {
      {"a new last axis", [](Var v, Index) { return reshape(v, v.shape().inserted(v.rank(), 1)); }},
      {"a new axis 1", [](Var v, Index) { return reshape(v, v.shape().inserted(1, 1)); }},
      {.name = "all axes as one",
       .formula =
           [](Var v, Index) {
             return reshape(v, {v.shape()[0], -1});
           },
       .takes = has_axis(2),
       .streams = [](const Place& at) { return at.is_each(); }},
      {.name = "axes 1 and 2 as one",
       .formula =
           [](Var v, Index) {
             return reshape(v, {v.shape()[0], v.shape()[1] * v.shape()[2], v.shape()[3]});
           },
       .takes = has_axis(3),
       .streams =
           [](const Place& at) { return (at.time != 1 || at.shape[2] == 1) && (at.time != 2 || at.shape[1] == 1); }},
      {.name = "the last two axes divided otherwise",
       .formula = [](Var v, Index) { return reshape(v, v.shape().with(-1, v.shape()[-2]).with(-2, v.shape()[-1])); },
       .takes = has_axis(2),
       .streams = [](const Place& at) { return at.time < at.rank() - 2; }},
  };
}

inline OpUses transpose_uses() {
  OpUses uses;
  for (const std::vector<Index>& axes : std::vector<std::vector<Index>>{
           {0, 1}, {0, 2, 1}, {0, 2, 1, 3}, {0, 3, 2, 1}, {0, 1, 3, 2}, {0, 3, 1, 2}, {0, 2, 3, 1}}) {
    uses.push_back({.name = to_string(std::span<const Index>(axes)),
                    .formula = [=](Var v, Index) { return transpose(v, axes); },
                    .takes = [=](const Place& at) { return at.rank() == std::ssize(axes); }});
  }
  return uses;
}

inline OpUses concatenate_uses() {
  OpUses uses = along_axes([](Var v, Index axis) { return concatenate({v, tanh(v), v}, axis); });
  for (OpUse& use : along_axes([](Var v, Index axis) { return concatenate({fixed_like(v), v}, axis); })) {
    use.name += " of a constant";
    use.takes = [has = use.takes](const Place& at) { return has(at) && at.time != 0; };
    use.streams = [streams = use.streams](const Place& at) { return streams(at) && is_on_time(at); };
    uses.push_back(std::move(use));
  }
  return uses;
}

inline OpUses slice_uses() {
  OpUses uses = along_axes([](Var v, Index axis) { return concatenate({slice_axis(v, axis, 0, 0), v}, axis); });
  for (const Index axis : {1, 2, 3}) {
    uses.push_back({.name = message("all but the first of axis {}", axis),
                    .formula = [=](Var v, Index) { return slice_axis(v, axis, 1, v.shape()[axis]); },
                    .takes = [=](const Place& at) { return axis < at.rank() && at.shape[axis] > 1; },
                    .streams = other_than(axis)});
    uses.push_back({.name = message("the last of axis {}", axis),
                    .formula = [=](Var v, Index) { return slice_axis(v, axis, -1, v.shape()[axis]); },
                    .takes = has_axis(axis)});
    uses.push_back({.name = message("all of axis {}", axis),
                    .formula = [=](Var v, Index) { return slice_axis(v, axis, 0, v.shape()[axis]); },
                    .takes = has_axis(axis)});
  }
  return uses;
}

inline OpUses take_uses() {
  return {{.name = "rows",
           .formula =
               [](Var v, Index) {
                 return take(fixed(v, {5, 3}), v);
               },
           .whole_numbers = true},
          {.name = "numbers", .formula = [](Var v, Index) { return take(fixed(v, {5}), v); }, .whole_numbers = true}};
}

inline OpUses repeat_uses() {
  return {{.name = "a constant for each sample",
           .formula = [](Var v, Index) { return v + fixed_like(v); },
           .takes = [](const Place& at) { return at.time != 0 && is_on_time(at); }}};
}

/// f(x, options) for a recurrent op.
template <class F>
OpUses recurrences(bool can_stream, F f) {
  OpUses uses;
  for (const RecurrentOptions& options :
       {RecurrentOptions{}, RecurrentOptions{.return_sequences = true}, RecurrentOptions{.go_backwards = true}}) {
    uses.push_back(
        {.name = message("return_sequences {}, go_backwards {}", options.return_sequences, options.go_backwards),
         .formula = [=](Var v, Index) { return f(v, options); },
         .takes = [](const Place& at) { return at.rank() == 3; },
         .streams = [=](const Place& at) { return can_stream && at.time == 1 && !options.go_backwards; }});
  }
  return uses;
}

/// The uses of an op, by its name.
OpUses op_uses(const std::string& op);

}  // namespace cornu::testing
