#include "cornu/core/error.h"
#include "cornu/tests/core/ops/op_table.h"

namespace cornu::testing {

namespace {

Sample matmul_sample(const Shape& a, const Shape& b, const MatmulOptions& options = {}) {
  return {message("{}{} x {}{}", a, options.transpose_a ? "^T" : "", b, options.transpose_b ? "^T" : ""),
          {a, b},
          [=](std::span<const Var> x) { return matmul(x[0], x[1], options); },
          [=](std::span<const Tensor> x) { return matmul(x[0], x[1], options); },
          [=](std::span<const Exact> x) { return matmul_reference(x[0], x[1], options); },
          options.transpose_a || options.transpose_b};
}

std::vector<Sample> matmul_samples() {
  std::vector<Sample> samples;
  const auto swapped = [](const Shape& s, bool swap) { return swap ? s.with(-2, s[-1]).with(-1, s[-2]) : s; };
  const std::vector<std::pair<Shape, Shape>> of_rank_two_and_more = {
      {{1, 1}, {1, 1}},       {{3, 5}, {5, 7}},          {{1, 4}, {4, 1}},
      {{2, 1}, {1, 3}},       {{0, 3}, {3, 2}},          {{2, 3}, {3, 0}},
      {{2, 0}, {0, 3}},       {{0, 0}, {0, 0}},          {{17, 9}, {9, 3}},
      {{2, 3, 4}, {4, 5}},    {{3, 4}, {2, 4, 5}},       {{2, 3, 4}, {2, 4, 2}},
      {{1, 3, 4}, {2, 4, 2}}, {{2, 1, 3, 2}, {3, 2, 1}}, {{2, 1, 2, 2, 3}, {1, 3, 1, 3, 2}},
      {{2, 0, 3}, {3, 2}},    {{0, 2, 3}, {1, 3, 2}},    {{2, 3, 0}, {0, 2}},
      {{1, 2, 0}, {3, 0, 2}}};
  for (const auto& [a, b] : of_rank_two_and_more) {
    for (const bool ta : {false, true}) {
      for (const bool tb : {false, true}) {
        samples.push_back(matmul_sample(swapped(a, ta), swapped(b, tb), {.transpose_a = ta, .transpose_b = tb}));
      }
    }
  }
  samples.push_back(matmul_sample({3}, {3}));
  samples.push_back(matmul_sample({0}, {0}));
  samples.push_back(matmul_sample({1}, {1}));
  for (const Shape& a : {Shape{2, 3}, Shape{0, 3}, Shape{4, 2, 3}, Shape{2, 1, 2, 2, 3}}) {
    samples.push_back(matmul_sample(a, {3}));
    samples.push_back(matmul_sample(swapped(a, true), {3}, {.transpose_a = true}));
    samples.push_back(matmul_sample({3}, swapped(a, true)));
    samples.push_back(matmul_sample({3}, a, {.transpose_b = true}));
  }
  return samples;
}

Sample affine_sample(const Shape& x, Index in, Index out) {
  return {message("{} with {} in and {} out", x, in, out),
          {x, {in, out}, {out}},
          [](std::span<const Var> v) { return affine(v[0], v[1], v[2]); },
          [](std::span<const Tensor> v) { return affine(v[0], v[1], v[2]); },
          [](std::span<const Exact> v) {
            return pairwise_reference(matmul_reference(v[0], v[1], {}), v[2],
                                      [](long double y, long double b) { return y + b; });
          }};
}

}  // namespace

std::vector<OpRow> linear_rows() {
  return {
      {.op = "matmul",
       .name = "Matmul",
       .ranges = {around_zero},
       .samples = matmul_samples(),
       .parameter_forms = {{{false, true}, [](auto x, auto p) { return matmul(x[0], p[1]); }},
                           {{true, false}, [](auto x, auto p) { return matmul(p[0], x[1]); }}},
       .errors =
           {{"matmul: a is (2, 3) and b is (4, 5); 3 columns of a do not match 4 rows of b",
             [](Tape& t) {
               matmul(of(t, {2, 3}), of(t, {4, 5}));
             }},
            {"matmul: a is (3, 2) transposed and b is (2, 5) transposed; 3 columns of a do not match 5 rows of b",
             [](Tape& t) {
               matmul(of(t, {3, 2}), of(t, {2, 5}), {.transpose_a = true, .transpose_b = true});
             }},
            {"matmul: a is (2, 3) and b is (2,); 3 columns of a do not match 2 rows of b",
             [](Tape& t) {
               matmul(of(t, {2, 3}), of(t, {2}));
             }},
            {"matmul: shapes (2, 3) and (); a scalar is not a matrix (use * to multiply)",
             [](Tape& t) {
               matmul(of(t, {2, 3}), 2);
             }},
            {"matmul: shapes (3,) and (3, 2); a 1-D operand cannot be transposed",
             [](Tape& t) {
               matmul(of(t, {3}), of(t, {3, 2}), {.transpose_a = true});
             }},
            {"matmul: shapes (2, 3) and (3,); a 1-D operand cannot be transposed",
             [](Tape& t) {
               matmul(of(t, {2, 3}), of(t, {3}), {.transpose_b = true});
             }},
            {"matmul: shapes (2,) and (3,) do not broadcast: at axis 1 from the end, 2 and 3 differ and neither is 1",
             [](Tape& t) {
               matmul(of(t, {2, 4, 5}), of(t, {3, 5, 6}));
             }}}},
      {.op = "affine",
       .name = "Affine",
       .ranges = {around_zero},
       .samples = {affine_sample({1, 1}, 1, 1), affine_sample({3, 5}, 5, 7), affine_sample({0, 3}, 3, 2),
                   affine_sample({2, 0}, 0, 3), affine_sample({2, 3}, 3, 0), affine_sample({5}, 5, 3),
                   affine_sample({0}, 0, 2), affine_sample({2, 3, 4}, 4, 5), affine_sample({2, 0, 4}, 4, 5),
                   affine_sample({2, 1, 2, 1, 3}, 3, 2), affine_sample({40, 2}, 2, 17)},
       .parameter_forms = {{{false, true, true}, [](auto x, auto p) { return affine(x[0], p[1], p[2]); }},
                           {{false, true, false}, [](auto x, auto p) { return affine(x[0], p[1], x[2]); }},
                           {{false, false, true}, [](auto x, auto p) { return affine(x[0], x[1], p[2]); }}},
       .errors = {{"affine: x is (2, 3), w is (4, 5) and b is (5,); x (..., in), w (in, out) and b (out) are required",
                   [](Tape& t) {
                     affine(of(t, {2, 3}), of(t, {4, 5}), of(t, {5}));
                   }},
                  {"affine: x is (2, 3), w is (3, 5) and b is (3,); x (..., in), w (in, out) and b (out) are required",
                   [](Tape& t) {
                     affine(of(t, {2, 3}), of(t, {3, 5}), of(t, {3}));
                   }},
                  {"affine: x is (), w is (3, 5) and b is (5,); x (..., in), w (in, out) and b (out) are required",
                   [](Tape& t) {
                     affine(of(t, {}), of(t, {3, 5}), of(t, {5}));
                   }},
                  {"affine: x is (3,), w is (3,) and b is (); x (..., in), w (in, out) and b (out) are required",
                   [](Tape& t) { affine(of(t, {3}), of(t, {3}), 1); }}}},
  };
}

}  // namespace cornu::testing
