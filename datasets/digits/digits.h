#pragma once

#include <cstdint>

#include "cornu/datasets/image_dataset.h"

namespace cornu::datasets {

/// The training and the test set: `auto [train, test] = datasets::digits();`
struct Digits {
  ImageDataset train, test;
};

struct DigitsOptions {
  /// The number of training samples, 1 to 100,000,000. The test set has a sixth of it, but at least one.
  Index samples = 60'000;
  /// Each seed gives a different set of the same kind.
  std::uint64_t seed = 0;
};

/// Synthetic handwritten digits in the format of MNIST, for use where MNIST is not available: 28x28 grey pixels, ink
/// 255 on paper 0, labels 0 to 9. They need no file and no network; 60,000 take about a second.
///
/// A pen draws each sample along one of several skeletons of the digit (Catmull-Rom splines, drawn by hand for Cornu;
/// no data set was used) with random variations:
///   1. each point of the skeleton is moved by up to 0.17 of the digit's height in each direction, mostly less than
///      0.05; if there are several strokes, each is also moved as a whole by up to 0.08;
///   2. the waist is moved, top or bottom widened, the vertical bent, and the whole displaced by three waves (elastic
///      deformation), scaled in width by 0.65 to 1.35 (a 1 is not), slanted by 0.2 +- 0.3 (a 1 by up to 0.25 more) and
///      rotated by +- 7 degrees (one standard deviation, truncated at three);
///   3. the ink is fitted into a box of 20x20 pixels by its longer side, and drawn by a pen of 1.5 to 5.6 pixels whose
///      width varies along the way; a pixel's grey is how far its centre lies within the pen's edge, which is blurred
///      over 0.9 to 1.9 pixels; noise of up to 12% makes the ink uneven;
///   4. the centre of mass is moved to the centre of the image, by whole pixels and by at most the margin of 4.
/// Steps 3 and 4 are MNIST's normalisation. docs/datasets.md reports how well a network trained on these digits alone
/// reads real handwriting.
///
/// A sample depends only on the seed and its index, so a smaller set is the beginning of a larger one. Samples 10k to
/// 10k + 9 are the ten digits in random order. The test samples are independent of the training samples. The same seed
/// gives the same bytes with every compiler, in float and in double: only + - * / and square roots are used.
///
/// Throws ValueError, naming the number, if `samples` is out of range.
Digits digits(const DigitsOptions& options = {});

}  // namespace cornu::datasets
