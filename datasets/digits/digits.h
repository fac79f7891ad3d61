#pragma once

#include <cstdint>

#include "cornu/datasets/image_dataset.h"

namespace cornu::datasets {

/// Digits to learn from, and others to see what was learnt: `auto [train, test] = datasets::digits();`
struct Digits {
  ImageDataset train, test;
};

struct DigitsOptions {
  /// How many there are to learn from, 1 to 100,000,000; a sixth of that number, but at least one, to test with.
  Index samples = 60'000;
  /// Each seed is another set, of the same kind.
  std::uint64_t seed = 0;
};

/// Synthetic handwritten digits in the format of MNIST, for where MNIST is not at hand: 28x28 grey pixels, ink 255 on
/// paper 0, labels 0 to 9. They need no file and no network, and are written while one waits: 60,000 in about a second.
///
/// Every sample is written anew, by a pen that follows one of several skeletons of its digit (strokes of Catmull-Rom
/// splines, drawn by hand for Cornu; nothing is taken from any data set) in a hand of its own:
///   1. each point of the skeleton is moved by up to 0.17 of the digit's height, mostly less than 0.05;
///   2. the waist is moved, top or bottom widened, the vertical bent, and the whole displaced by three waves (elastic
///      deformation), scaled in width by 0.65 to 1.35, slanted by 0.2 +- 0.3 and turned by +- 7 degrees (one standard
///      deviation, cut off at three);
///   3. the ink is fitted into a box of 20x20 pixels by its longer side, and drawn by a pen of 1.5 to 5.6 pixels whose
///      width varies along the way; a pixel's grey is how far its middle lies within the pen's edge, which is blurred
///      over 0.9 to 1.9 pixels; noise of up to 12% makes the ink uneven;
///   4. the centre of mass is moved to the middle of the image, by whole pixels and by at most the margin of 4.
/// Steps 3 and 4 are how MNIST was normalised. A network that has learnt from these digits alone reads real
/// handwriting: docs/datasets.md says how well.
///
/// A sample depends on the seed and its number alone, so that fewer samples are the beginning of more. Of samples 10k
/// to 10k + 9 each is another digit, in random order. The test samples are independent of the others. The same seed
/// gives the same bytes with every compiler and in float as in double: only + - * / and square roots are used.
///
/// Throws ValueError, naming the number, for samples out of range.
Digits digits(const DigitsOptions& options = {});

}  // namespace cornu::datasets
