#pragma once

#include "cornu/core/arena.h"
#include "cornu/core/kernels/tile_product.h"
#include "cornu/core/kernels/window.h"

/// The convolution of one image and its gradients. Arguments are not checked. See docs/decisions/convolution.md.
namespace cornu::detail {

/// The geometry of a convolution: sizes and strides.
///
/// Windows are never gathered into a matrix ("im2col"). In a row of an image, a window's elements form "runs" of
/// contiguous elements, and the convolution is a few matrix products of runs. A run is all taps and channels of the
/// row; with groups or a horizontal dilation, only the channels of one tap.
struct Convolution {
  Window window;
  Index in, out, groups;  // channels, filters
  bool relu;

  Index group_in() const { return in / groups; }
  Index group_out() const { return out / groups; }
  Index pixels() const { return window.y.out * window.x.out; }

  // The padded image.
  bool is_padded() const { return height() > window.y.in || width() > window.x.in; }
  Index height() const { return window.y.padded(); }
  Index width() const { return window.x.padded(); }
  Index row() const { return width() * in; }

  // A window.
  bool row_is_one_run() const { return groups == 1 && window.x.dilation == 1; }
  Index parts() const { return row_is_one_run() ? 1 : window.x.taps; }              // runs per row
  Index run() const { return row_is_one_run() ? window.x.taps * in : group_in(); }  // elements of a run
  Index taps() const { return window.y.taps * window.x.taps * group_in(); }
  Index start(Index group, Index tap_row, Index part) const {
    return tap_row * window.y.dilation * row() + part * window.x.dilation * in + group * group_in();
  }

  /// Filters of all groups, each group padded to whole vectors.
  Index padded_out() const { return groups * tile_columns(group_out()); }
};

/// Number of adjacent output pixels to merge into one pixel with that many times the filters, so that a few filters
/// fill a vector. It is the largest number that fits a vector and divides a row. 1 if windows do not overlap, with
/// groups, or with a horizontal dilation.
Index pixels_as_one(const Convolution& c);
/// The merged convolution: one output pixel stands for `pixels` adjacent ones. Its window spans all of theirs.
Convolution joined(const Convolution& c, Index pixels);
/// The kernel of `joined`, (rows, wider columns, in, pixels, filters): 0 where a pixel's window has no tap.
const Real* joined_kernel(const Convolution& c, Index pixels, const Real* kernel, Arena& arena);

/// The kernel as right operand of `convolve_image`: a matrix (taps, filters) for each group and block of filters.
const Real* forward_panels(const Convolution& c, const Real* kernel, Arena& arena);

/// Forward pass of one image. Whole vectors may be written up to `y_end`, even beyond the elements of this image.
void convolve_image(const Convolution& c, const Real* image, const Real* panels, const Real* bias, Real* y,
                    const Real* y_end);

/// The kernel as right operand of `add_input_gradient`: a matrix (filters, run) for each group and run of a window.
const Real* transposed_panels(const Convolution& c, const Real* kernel, Arena& arena);

/// Adds the gradient of one padded image to dx: each output pixel contributes to all taps of its window. The rows of a
/// tile are the output pixels of a column; if the output has one row, they are the pixels of that row.
void add_input_gradient(const Convolution& c, const Real* dy, const Real* panels, Real* dx);

/// Adds the kernel gradient of one image to dkernel, (groups, taps, filters of a group padded to whole vectors). The
/// padding columns are unspecified. Whole vectors of dy are read, even beyond a group's filters.
void add_kernel_gradient(const Convolution& c, const Real* image, const Real* dy, Real* dkernel);

/// Adds the sum of dy over the pixels of one image to dbias, (groups, filters of a group padded to whole vectors).
void add_bias_gradient(const Convolution& c, const Real* dy, Real* dbias);

}  // namespace cornu::detail
