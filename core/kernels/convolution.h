#pragma once

#include "cornu/core/arena.h"
#include "cornu/core/kernels/tile_product.h"
#include "cornu/core/kernels/window.h"

/// What a convolution does to one image, on a convolution that was checked. docs/decisions/convolution.md
namespace cornu {

/// A checked convolution: what moves where, and the strides of everything.
///
/// Windows are never gathered into a matrix. In a row of an image a window's taps are `run` neighbouring numbers (all
/// taps and channels of the row; only the channels of one tap where there are groups or a dilation between taps), so
/// that everything is a few products of runs.
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
  Index parts() const { return row_is_one_run() ? 1 : window.x.taps; }  // runs a row
  Index run() const { return row_is_one_run() ? window.x.taps * in : group_in(); }
  Index taps() const { return window.y.taps * window.x.taps * group_in(); }
  Index start(Index group, Index tap_row, Index part) const {
    return tap_row * window.y.dilation * row() + part * window.x.dilation * in + group * group_in();
  }

  /// Filters of all groups, each group filled up to whole vectors.
  Index padded_out() const { return groups * tile_columns(group_out()); }
};

/// How many pixels beside each other are best made as one: where the filters fill half of a vector at most, and windows
/// overlap, as many as fit into it.
Index pixels_as_one(const Convolution& c);
/// The convolution that makes so many pixels of `c` as one with all their filters, of a window that covers all of
/// theirs.
Convolution joined(const Convolution& c, Index pixels);
/// The kernel of that one, (rows, wider columns, in, pixels, filters): zeros where a pixel's own window has no tap.
const Real* joined_kernel(const Convolution& c, Index pixels, const Real* kernel, Arena& arena);

/// The kernel as right operand of `convolve_image`: for each group and block of filters a matrix (taps, filters).
const Real* forward_panels(const Convolution& c, const Real* kernel, Arena& arena);

/// y of one image: for each pixel of a row the sum over its window's taps. Whole vectors may be written up to `y_end`.
void convolve_image(const Convolution& c, const Real* image, const Real* panels, const Real* bias, Real* y,
                    const Real* y_end);

/// The kernel as right operand of `add_input_gradient`: for each group and run of a window a matrix (filters, run).
const Real* transposed_panels(const Convolution& c, const Real* kernel, Arena& arena);

/// Adds to dx, the gradient of one padded image: each pixel of y gives to all the taps that it was made of. The rows of
/// a tile are pixels above each other, whose runs do not overlap; of an image of one row of them they are all of it.
void add_input_gradient(const Convolution& c, const Real* dy, const Real* panels, Real* dx);

/// Adds to dkernel, (groups, taps, filters of a group, filled up), what one image gives. What comes to stand in the
/// columns beyond the filters has no meaning: whole vectors of dy are read, beyond the group's filters, too.
void add_kernel_gradient(const Convolution& c, const Real* image, const Real* dy, Real* dkernel);

/// Adds to dbias, (groups, filters of a group, filled up), the sum of dy over the pixels of one image.
void add_bias_gradient(const Convolution& c, const Real* dy, Real* dbias);

}  // namespace cornu
