#include "cornu/models/export_cpp/kernels.h"

#include <algorithm>
#include <array>
#include <string>

namespace cornu::detail {

namespace {

constexpr std::array kernels = {
    CppKernel{"at", R"(
// Element i of an array, or `none` if the array is nullptr.
constexpr float at(const float* numbers, size i, float) { return numbers[i]; }
constexpr float at(std::nullptr_t, size, float none) { return none; }
)"},
    CppKernel{"tiles",
              R"(
// A compile-time constant.
template <size n>
using Number = std::integral_constant<size, n>;

// Calls f(first, width) for each tile of n elements. A tile's sums fit in registers.
template <size n, class F>
inline void for_tiles(F f) {
  constexpr size width = 32, whole = n / width * width;
  for (size first = 0; first < whole; first += width) f(first, Number<width>());
  if constexpr (whole < n) f(whole, Number<n - whole>());
}

// sums += number w, for `width` elements.
template <size width, class Weight>
inline void add_product(float number, const Weight* w, float* sums) {
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC unroll 8  // otherwise g++ unrolls short loops completely before it vectorises them
#endif
  for (size n = 0; n < width; ++n) sums[n] += number * static_cast<float>(w[n]);
}

// y = sums scale + bias, for elements `first` to first + width.
template <size width, class Scale, class Bias>
inline void finish(const float* sums, size first, Scale scale, Bias bias, float* y) {
  for (size j = 0; j < width; ++j) y[first + j] = sums[j] * at(scale, first + j, 1) + at(bias, first + j, 0);
}
)",
              {"at"}},
    CppKernel{"dense",
              R"(
// y = x w scale + bias, for `rows` rows of x; w: (in, out).
template <size rows, size in, size out, class Weight, class Scale, class Bias>
inline void dense(const float* x, const Weight* w, Scale scale, Bias bias, float* y) {
  for (size r = 0; r < rows; ++r, x += in, y += out) {
    for_tiles<out>([=](auto first, auto width) {
      float sums[width] = {};
      for (size i = 0; i < in; ++i) add_product<width>(x[i], w + i * out + first, sums);
      finish<width>(sums, first, scale, bias, y);
    });
  }
}
)",
              {"tiles"}},
    CppKernel{"each",
              R"(
// y = f(x), elementwise; y may be x.
template <size n, class F>
inline void each(const float* x, F f, float* y) {
  for (size i = 0; i < n; ++i) y[i] = f(x[i]);
}
)",
              {},
              true},
    CppKernel{"softmax",
              R"(
// Softmax along the axis n; x: (outer, n, inner). y may be x.
template <size outer, size n, size inner>
inline void softmax(const float* x, float* y) {
  for (size s = 0; s < outer * inner; ++s) {
    const size first = s / inner * n * inner + s % inner;
    float peak = x[first], sum = 0;
    for (size k = 0; k < n; ++k) peak = x[first + k * inner] > peak ? x[first + k * inner] : peak;
    for (size k = 0; k < n; ++k) sum += y[first + k * inner] = std::exp(x[first + k * inner] - peak);
    for (size k = 0; k < n; ++k) y[first + k * inner] /= sum;
  }
}
)",
              {},
              true},
    CppKernel{"log_softmax",
              R"(
// Logarithm of the softmax along the axis n; x: (outer, n, inner). y may be x.
template <size outer, size n, size inner>
inline void log_softmax(const float* x, float* y) {
  for (size s = 0; s < outer * inner; ++s) {
    const size first = s / inner * n * inner + s % inner;
    float peak = x[first], sum = 0;
    for (size k = 0; k < n; ++k) peak = x[first + k * inner] > peak ? x[first + k * inner] : peak;
    for (size k = 0; k < n; ++k) sum += std::exp(x[first + k * inner] - peak);
    const float whole = peak + std::log(sum);
    for (size k = 0; k < n; ++k) y[first + k * inner] = x[first + k * inner] - whole;
  }
}
)",
              {},
              true},
    CppKernel{"reduce", R"(
// The elements along the axis n combined by f, and divided; x: (outer, n, inner). In blocks: a long sum of floats, one
// after the other, loses digits.
template <size outer, size n, size inner, class F>
inline void reduce(const float* x, F f, float divisor, float* y) {
  for (size s = 0; s < outer * inner; ++s) {
    const float* from = x + s / inner * n * inner + s % inner;
    float result = *from;
    for (size k = 1; k < n;) {
      const size end = k + 64 < n ? k + 64 : n;
      float part = from[k * inner];
      for (++k; k < end; ++k) part = f(part, from[k * inner]);
      result = f(result, part);
    }
    y[s] = result / divisor;
  }
}
)"},
    CppKernel{"normalize",
              R"(
// y = (x - mean) factor + sum. x: (outer, n, inner); mean, factor, sum: (n). y may be x.
template <size outer, size n, size inner, class Mean, class Sum>
inline void normalize(const float* x, Mean mean, const float* factor, Sum sum, float* y) {
  for (size o = 0; o < outer; ++o) {
    for (size k = 0; k < n; ++k) {
      for (size i = 0; i < inner; ++i, ++x, ++y) {
        *y = (*x - at(mean, k, 0)) * factor[k] + at(sum, k, 0);
      }
    }
  }
}
)",
              {"at"},
              true},
    CppKernel{"normalize_rows",
              R"(
// y = (x - mean) / sqrt(variance + epsilon) gain + shift, for each row of n elements. y may be x.
template <size rows, size n, class Gain, class Shift>
inline void normalize_rows(const float* x, Gain gain, Shift shift, float epsilon, float* y) {
  for (size r = 0; r < rows; ++r, x += n, y += n) {
    float mean = 0, variance = 0;
    for (size k = 0; k < n; ++k) mean += x[k];
    mean /= static_cast<float>(n);
    for (size k = 0; k < n; ++k) variance += (x[k] - mean) * (x[k] - mean);
    const float factor = 1.0f / std::sqrt(variance / static_cast<float>(n) + epsilon);
    for (size k = 0; k < n; ++k) y[k] = (x[k] - mean) * factor * at(gain, k, 1) + at(shift, k, 0);
  }
}
)",
              {"at"},
              true},
    CppKernel{"Along", R"(
// An axis: its length, and the steps of the operands a and b along it. A step of 0 repeats the operand.
template <size n_, size a_, size b_ = 0>
struct Along {
  static constexpr size n = n_, a = a_, b = b_;
};
)"},
    CppKernel{"combine",
              R"(
// y = f(a, b), elementwise along these axes; y may be an operand of its size. Returns the end of y.
template <class Axis_, class... Axes, class F>
inline float* combine(const float* a, const float* b, F f, float* y) {
  for (size i = 0; i < Axis_::n; ++i, a += Axis_::a, b += Axis_::b) {
    if constexpr (sizeof...(Axes) > 0) {
      y = combine<Axes...>(a, b, f, y);
    } else {
      *y++ = f(*a, *b);
    }
  }
  return y;
}
)",
              {"Along"},
              true},
    CppKernel{"transpose",
              R"(
// Copies x along the axes of y. Returns the end of y.
template <class Axis_, class... Axes>
inline float* transpose(const float* x, float* y) {
  for (size i = 0; i < Axis_::n; ++i, x += Axis_::a) {
    if constexpr (sizeof...(Axes) > 0) {
      y = transpose<Axes...>(x, y);
    } else {
      *y++ = *x;
    }
  }
  return y;
}
)",
              {"Along"}},
    CppKernel{"multiply",
              R"(
// A matrix (rows, inner) times a matrix (inner, columns), and the steps of their elements along these axes.
template <size rows_, size inner_, size columns_, size a_row_, size a_inner_, size b_inner_, size b_column_>
struct Matrices {
  static constexpr size rows = rows_, inner = inner_, columns = columns_;
  static constexpr size a_row = a_row_, a_inner = a_inner_, b_inner = b_inner_, b_column = b_column_;
};

// y = a b. Returns the end of y.
template <class M>
inline float* multiply(const float* a, const float* b, float* y) {
  for (size i = 0; i < M::rows; ++i) {
    for (size j = 0; j < M::columns; ++j) {
      float sum = 0;
      for (size k = 0; k < M::inner; ++k) sum += a[i * M::a_row + k * M::a_inner] * b[k * M::b_inner + j * M::b_column];
      *y++ = sum;
    }
  }
  return y;
}

// The same for each pair of matrices along these axes.
template <class M, class Axis_, class... Axes>
inline float* multiply(const float* a, const float* b, float* y) {
  for (size i = 0; i < Axis_::n; ++i, a += Axis_::a, b += Axis_::b) y = multiply<M, Axes...>(a, b, y);
  return y;
}
)",
              {"Along"}},
    CppKernel{"copy", R"(
// Copies rows of `width` elements. from, to: how far apart the rows of x and y begin.
template <size rows, size width, size from, size to>
inline void copy(const float* x, float* y) {
  for (size r = 0; r < rows; ++r) {
    for (size k = 0; k < width; ++k) y[r * to + k] = x[r * from + k];
  }
}
)"},
    CppKernel{"flip", R"(
// y = x with the n positions of an axis in reverse order. outer, inner: elements before and after that axis.
template <size outer, size n, size inner>
inline void flip(const float* x, float* y) {
  for (size o = 0; o < outer; ++o) {
    for (size i = 0; i < n * inner; ++i) y[(o * n + n - 1 - i / inner) * inner + i % inner] = x[o * n * inner + i];
  }
}
)"},
};

}  // namespace

namespace {

/// Calls f with each kernel until it returns true, and returns that kernel.
template <class F>
const CppKernel* first_kernel(F f) {
  for (const std::span<const CppKernel> some :
       {std::span<const CppKernel>(kernels), cpp_image_kernels(), cpp_selection_kernels(), cpp_sequence_kernels(),
        cpp_stream_kernels(), cpp_indexing_kernels(), cpp_gradient_kernels()}) {
    const auto found = std::find_if(some.begin(), some.end(), f);
    if (found != some.end()) return &*found;
  }
  return nullptr;
}

}  // namespace

const CppKernel* find_cpp_kernel(std::string_view name) {
  return first_kernel([&](const CppKernel& kernel) { return kernel.name == name; });
}

bool is_cpp_kernel_name(std::string_view name) {
  const std::string function = " " + std::string(name) + "(", type = "struct " + std::string(name) + " ",
                    alias = "using " + std::string(name) + " ";
  const auto has = [](std::string_view text, const std::string& part) {
    return text.find(part) != std::string_view::npos;
  };
  return first_kernel([&](const CppKernel& kernel) {
           return has(kernel.text, function) || has(kernel.text, type) || has(kernel.text, alias);
         }) != nullptr ||
         name == "size";
}

}  // namespace cornu::detail
