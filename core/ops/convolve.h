#pragma once

#include "cornu/core/autodiff/tape.h"
#include "cornu/core/kernels/convolution.h"

/// The convolution of a batch of images, and parts of its gradients, for conv2d and conv2d_transpose. Memory is the
/// tape's. Arguments are not checked.
namespace cornu::detail {

/// y = x convolved with the kernel, + bias, which may be nullptr.
void convolve_images(const Convolution& c, Tape& tape, ConstView x, const Real* kernel, const Real* bias, View y);

View zeros(Tape& tape, const Shape& shape);
/// Memory for padded_image; nullptr if there is no padding.
Real* padding_memory(const Convolution& c, Tape& tape);
/// Copies image x into the middle of `memory`, whose border is already 0; returns x itself if there is no padding.
const Real* padded_image(const Convolution& c, const Real* x, Real* memory);
/// Writes or adds a padded image, without its border, to an image.
void crop(const Convolution& c, const Real* padded, Real* image, bool accumulates);
/// Sums the gradients of `pixels` adjacent copies of the kernel (see joined) into its sink.
void unpack_kernel(const Convolution& c, Index pixels, const Real* dkernel, const Sink& sink);

}  // namespace cornu::detail
