#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "cornu/datasets/image_dataset.h"

namespace cornu::datasets {

/// Images to learn from, and others to see what was learnt: `auto [train, test] = datasets::mnist();`
struct Mnist {
  ImageDataset train, test;
};

struct MnistOptions {
  /// Where the four files are, raw or .gz: the first place that is looked in.
  std::string directory{};
  /// Whether files found nowhere may be downloaded, into the user's cache folder.
  bool download = true;
  /// No progress line while they are.
  bool quiet = false;
};

/// 60,000 handwritten digits of 28x28 pixels to learn from and 10,000 to test with.
/// Looks for the files in `directory` if that is given, then in $CORNU_DATA/mnist, then in the user's cache folder
/// ($XDG_CACHE_HOME/cornu/mnist or ~/.cache/cornu/mnist), into which it downloads them as a last resort, checking their
/// SHA-256. The names may be those of the archives too, as in train-images.idx3-ubyte.
/// Throws FileError, with every place looked in and why the download failed, if the files are not to be had, and
/// FormatError, naming the file and what is wrong with it, for files that are not what they should be.
/// Source: LeCun, Cortes, Burges, "The MNIST database of handwritten digits".
Mnist mnist(const MnistOptions& options = {});

/// 70,000 pictures of clothes, in the same format and split; $CORNU_DATA/fashion-mnist and cornu/fashion-mnist.
/// Source: Xiao, Rasul, Vollgraf 2017, "Fashion-MNIST: a Novel Image Dataset for Benchmarking Machine Learning
/// Algorithms".
Mnist fashion_mnist(const MnistOptions& options = {});

/// A file as it is published: compressed, and pinned by its hash.
struct MnistFile {
  std::string name;    // Without .gz.
  std::string sha256;  // Of the .gz file.
  std::uint64_t size;  // Of the .gz file, in bytes.
};

/// What is needed to find another dataset of the same format (KMNIST, EMNIST).
struct MnistSource {
  std::string name;  // That of its folder.
  MnistFile train_images, train_labels, test_images, test_labels;
  std::vector<std::string> mirrors;      // What to put before NAME.gz.
  std::vector<std::string> class_names;  // Labels are below their number.
  bool allow_http_to_loopback = false;   // For tests.
};

/// `mnist` for another source.
Mnist mnist_like(const MnistSource& source, const MnistOptions& options = {});

}  // namespace cornu::datasets
