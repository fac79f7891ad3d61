#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "cornu/formats/raw_tensor.h"

namespace cornu {

/// Texts that a file stores with its tensors.
using TensorMetadata = std::map<std::string, std::string, std::less<>>;

/// The tensors of a file by name: what every format of weights has in common. Does not own the elements, which the
/// reader of the file maps into memory or owns.
class NamedTensors {
 public:
  /// `path` is the file's name in errors. The names must differ.
  NamedTensors(std::string path, std::vector<RawTensor> tensors, std::vector<UnreadArray> unread = {},
               TensorMetadata metadata = {});

  /// In the order of the file.
  const std::vector<RawTensor>& tensors() const { return tensors_; }
  /// Tensors of unsupported types.
  const std::vector<UnreadArray>& unread() const { return unread_; }
  const TensorMetadata& metadata() const { return metadata_; }
  const std::string& path() const { return path_; }
  /// Null if there is no tensor of this name. Throws FormatError, with the reason, if it is one of unread().
  const RawTensor* find(std::string_view name) const;
  /// Converts the elements to Real, see `convert`. Throws FormatError if there is no tensor of this name, or if its
  /// rank exceeds a Shape's.
  Tensor tensor(std::string_view name) const;

 private:
  std::string path_;
  std::vector<RawTensor> tensors_;
  std::vector<UnreadArray> unread_;
  TensorMetadata metadata_;
  std::vector<std::size_t> by_name_;  // positions in tensors_, sorted by name
};

}  // namespace cornu
