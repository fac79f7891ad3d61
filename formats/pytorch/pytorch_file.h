#pragma once

#include <cstddef>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cornu/formats/named_tensors.h"

/// PyTorch's own files, as torch.save has written them since version 1.6: a zip archive with a pickle, which describes
/// a dict of tensors, and their elements. docs/decisions/pytorch-files.md.
namespace cornu::detail {

/// The dict of tensors in such a file: a state_dict, alone or as the only one in a checkpoint.
class PyTorchFile {
 public:
  /// The bytes are not used afterwards; `name` is the file's name in errors. Throws FormatError, naming file and cause,
  /// for a damaged archive or pickle, big-endian elements, a whole model (pickled or TorchScript), and a file without a
  /// dict of tensors or with several. Takes at most 16 MiB and three times the size of the file, and half as much again
  /// while it reads. Throws FileError without libzip.
  PyTorchFile(std::span<const std::byte> bytes, std::string name);

  /// Elements of no type that Cornu reads, and entries that are not tensors, are in unread().
  const NamedTensors& content() const { return tensors_; }

 private:
  std::vector<std::vector<std::byte>> owned_;
  NamedTensors tensors_;
};

/// The elements of the tensors that a pickle describes, and the memory that they are in.
struct PickledTensors {
  std::vector<RawTensor> tensors{};
  std::vector<UnreadArray> unread{};
  std::vector<std::vector<std::byte>> owned{};
};

/// `storage` returns the bytes of a storage by its key, and throws FormatError if there is none. Charges what it
/// allocates to the MemoryLimit.
PickledTensors pickled_tensors(std::span<const std::byte> pickle,
                               const std::function<std::vector<std::byte>(std::string_view key)>& storage);

}  // namespace cornu::detail
