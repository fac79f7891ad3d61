#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "cornu/datasets/image_dataset.h"
#include "cornu/datasets/mnist.h"

namespace cornu::datasets::detail {

struct MnistPaths {
  std::filesystem::path train_images, train_labels, test_images, test_labels;
};

/// Finds the four files in one folder, and downloads them if necessary. Throws FileError, listing everything that was
/// tried.
MnistPaths find_mnist(const MnistSource& source, const MnistOptions& options);

/// The file in the folder under one of its names: raw or .gz, with a dash or a dot; nothing if there is none.
std::optional<std::filesystem::path> find_file(const std::filesystem::path& folder, std::string name);

/// Reads and checks a file of images and the file with their labels. Throws FormatError, naming the file.
ImageDataset load_images(const std::filesystem::path& images, const std::filesystem::path& labels,
                         const ImageOptions& options);

}  // namespace cornu::datasets::detail
