#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "cornu/datasets/image_dataset.h"

namespace cornu::datasets {

/// The training and the test set: `auto [train, test] = datasets::mnist();`
struct Mnist {
  ImageDataset train, test;
};

struct MnistOptions {
  /// A folder with the four files, raw or .gz. It is searched first.
  std::string directory{};
  /// Downloads the files into the user's cache folder if they are found nowhere.
  bool download = true;
  /// Shows no progress line during the download.
  bool quiet = false;
};

/// MNIST: 28x28 images of handwritten digits, 60,000 for training and 10,000 for testing.
/// Searches for the files in `directory` if it is given, then in $CORNU_DATA/mnist, then in the user's cache folder
/// ($XDG_CACHE_HOME/cornu/mnist or ~/.cache/cornu/mnist). If they are not found, downloads them into the cache folder
/// and checks their SHA-256. File names may also be those inside the archives, such as train-images.idx3-ubyte.
/// Throws FileError, with every place searched and the reason why the download failed, if the files are not found, and
/// FormatError, naming file and cause, if their content is not as expected.
/// Source: LeCun, Cortes, Burges, "The MNIST database of handwritten digits".
Mnist mnist(const MnistOptions& options = {});

/// Fashion-MNIST: 70,000 images of clothes in the same format and split; searched in $CORNU_DATA/fashion-mnist and
/// cornu/fashion-mnist.
/// Source: Xiao, Rasul, Vollgraf 2017, "Fashion-MNIST: a Novel Image Dataset for Benchmarking Machine Learning
/// Algorithms".
Mnist fashion_mnist(const MnistOptions& options = {});

/// A compressed file as published, identified by its hash.
struct MnistFile {
  std::string name;    // without .gz
  std::string sha256;  // of the .gz file
  std::uint64_t size;  // of the .gz file, in bytes
};

/// Describes another dataset of the same format, such as KMNIST or EMNIST.
struct MnistSource {
  std::string name;  // the name of its folder
  MnistFile train_images, train_labels, test_images, test_labels;
  std::vector<std::string> mirrors;      // URL prefixes of NAME.gz
  std::vector<std::string> class_names;  // labels are below their number
  bool allow_http_to_loopback = false;   // for tests
};

/// `mnist` for another source. See `mnist` for the search order and the errors.
Mnist mnist_like(const MnistSource& source, const MnistOptions& options = {});

}  // namespace cornu::datasets
