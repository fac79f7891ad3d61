#include "cornu/formats/pytorch/pytorch_file.h"

#include <algorithm>
#include <map>
#include <utility>

#include "cornu/core/error.h"
#include "cornu/core/memory_limit.h"
#include "cornu/core/text/naming.h"
#include "cornu/core/text/printable.h"
#include "cornu/formats/file_kind.h"
#include "cornu/formats/zip.h"

namespace cornu::detail {

namespace {

/// The members of an archive that torch.save wrote, all in one folder.
class Members {
 public:
  explicit Members(std::span<const std::byte> file) : zip_(file) {
    constexpr std::string_view pickle = "/data.pkl";
    for (Index i = 0; i < zip_.size(); ++i) {
      std::string name = zip_.name(i);
      if (name.ends_with(pickle) && name.find('/') == name.size() - pickle.size()) {
        require<FormatError>(folder_.empty(), "it has several pickles: {}data.pkl and {}", printable(folder_),
                             printable(name));
        folder_ = name.substr(0, name.find('/') + 1);
      }
      MemoryLimit::charge(MemoryLimit::tensors, name.size() + of_member);
      const auto [at, is_new] = members_.emplace(std::move(name), i);
      require<FormatError>(is_new, "duplicate member \"{}\"", printable(at->first));
    }
    require<FormatError>(!folder_.empty(), "it has no data.pkl");
    const bool is_torchscript = has("constants.pkl");
    require<FormatError>(!is_torchscript, "{}", described(FileKind::torchscript));
    if (has("byteorder")) {
      const std::vector<std::byte> order = read("byteorder");
      const std::string_view text(reinterpret_cast<const char*>(order.data()), order.size());
      require<FormatError>(text == "little",
                           "its byte order is \"{}\"; in Python, torch.save on a little-endian machine writes a file "
                           "that is read",
                           printable(text.substr(0, 100)));
    }
  }

  /// Throws FormatError, naming the member, if it is not there, is damaged or exceeds the MemoryLimit.
  std::vector<std::byte> read(std::string_view name) const {
    return naming('"' + std::string(name.substr(0, 100)) + '"', [&] {
      const auto found = members_.find(folder_ + std::string(name));
      require<FormatError>(found != members_.end(), "the archive has no such member; is the file complete?");
      const std::uint64_t size = zip_.size_of(found->second);
      MemoryLimit::charge(MemoryLimit::tensors, size);
      return zip_.read(found->second, size);
    });
  }

 private:
  bool has(std::string_view name) const { return members_.contains(folder_ + std::string(name)); }

  static constexpr std::size_t of_member = 128;  // a map's node

  ZipReader zip_;
  std::map<std::string, Index> members_{};
  std::string folder_{};  // "archive/"
};

PickledTensors read(std::span<const std::byte> bytes) {
  const std::size_t most = reading_memory(bytes.size());
  const MemoryLimit limit(most, most);
  const Members members(bytes);
  const std::vector<std::byte> pickle = members.read("data.pkl");
  return pickled_tensors(pickle, [&](std::string_view key) { return members.read("data/" + std::string(key)); });
}

}  // namespace

PyTorchFile::PyTorchFile(std::span<const std::byte> bytes, std::string name) : tensors_(name, {}) {
  naming(name, [&] {
    recognising(bytes, {FileKind::pytorch, FileKind::zip}, [&] {
      require<FormatError>(!bytes.empty(), "it is empty");
      PickledTensors found = read(bytes);
      owned_ = std::move(found.owned);
      tensors_ = NamedTensors(name, std::move(found.tensors), std::move(found.unread));
    });
  });
}

}  // namespace cornu::detail
