#include "cornu/formats/npy/npz.h"

#include <algorithm>
#include <set>
#include <utility>

#include "cornu/core/error.h"
#include "cornu/core/text/listed.h"
#include "cornu/core/text/naming.h"
#include "cornu/core/text/utf8.h"
#include "cornu/formats/atomic_file.h"
#include "cornu/formats/file_bytes.h"
#include "cornu/formats/file_kind.h"
#include "cornu/formats/npy/npy_array.h"
#include "cornu/formats/npy/npy_header.h"
#include "cornu/formats/zip.h"

namespace cornu {

namespace {

constexpr std::string_view ending = ".npy";

}  // namespace

bool has_npz() { return detail::has_zip(); }

// ---- Reading ----

struct NpzFile::Content {
  std::string path;
  std::vector<std::vector<std::byte>> bytes{};  // of the arrays
  std::vector<RawTensor> arrays{};
  std::vector<UnreadArray> unread{};

  Content(std::span<const std::byte> file, std::string name, const NpzOptions& options) : path(std::move(name)) {
    detail::naming(path, [&] {
      detail::recognising(file, {detail::FileKind::npz, detail::FileKind::zip}, [&] { read(file, options); });
    });
  }

 private:
  void read(std::span<const std::byte> file, const NpzOptions& options) {
    require<FormatError>(!file.empty(), "it is empty");
    require<FormatError>(detail::file_kind(file) != detail::FileKind::unknown,
                         "it begins with {}, which no .npz file does", detail::beginning_of(file));
    const detail::ZipReader zip(file);
    const std::vector<std::string> names = names_of(zip);
    std::uint64_t left = options.size_limit;
    for (Index i = 0; i < zip.size(); ++i) {
      const std::string& name = names[static_cast<std::size_t>(i)];
      detail::naming('"' + name + '"', [&] {
        std::vector<std::byte> member = zip.read(i, left);
        left -= member.size();
        try {
          detail::NpyArray array = detail::read_npy_array(member, name);
          arrays.push_back(std::move(array.tensor));
          bytes.push_back(array.rearranged.empty() ? std::move(member) : std::move(array.rearranged));
        } catch (const detail::UnreadType& error) {
          unread.push_back({.name = name, .type = error.type(), .reason = error.what()});
        }
      });
    }
  }

  static std::vector<std::string> names_of(const detail::ZipReader& zip) {
    std::vector<std::string> names;
    std::set<std::string_view> known;
    names.reserve(static_cast<std::size_t>(zip.size()));  // keeps the views in `known` valid
    for (Index i = 0; i < zip.size(); ++i) {
      std::string name = zip.name(i);
      require<FormatError>(name.ends_with(ending), "its member \"{}\" is not named {}", name, ending);
      name.resize(name.size() - ending.size());
      names.push_back(std::move(name));
      require<FormatError>(known.insert(names.back()).second, "duplicate name \"{}\"", names.back());
    }
    return names;
  }
};

NpzFile::NpzFile(const std::string& path, const NpzOptions& options)
    : content_(std::make_unique<const Content>(FileBytes(path, true).bytes(), path, options)) {}
NpzFile::NpzFile(std::span<const std::byte> bytes, std::string name, const NpzOptions& options)
    : content_(std::make_unique<const Content>(bytes, std::move(name), options)) {}
NpzFile::~NpzFile() = default;
NpzFile::NpzFile(NpzFile&&) noexcept = default;
NpzFile& NpzFile::operator=(NpzFile&&) noexcept = default;

const std::vector<RawTensor>& NpzFile::arrays() const { return content_->arrays; }
const std::vector<UnreadArray>& NpzFile::unread() const { return content_->unread; }
std::string NpzFile::path() const { return content_->path; }

const RawTensor* NpzFile::find(std::string_view name) const {
  const auto found =
      std::find_if(arrays().begin(), arrays().end(), [&](const RawTensor& array) { return array.name == name; });
  if (found != arrays().end()) return &*found;
  detail::require_read(path(), unread(), name);
  return nullptr;
}

const RawTensor& NpzFile::array(std::string_view name) const {
  const RawTensor* const found = find(name);
  if (found != nullptr) return *found;
  throw FormatError(
      message("{}: there is no array \"{}\"; there are: {}", path(), name, detail::listed(arrays(), &RawTensor::name)));
}

Tensor NpzFile::tensor(std::string_view name) const {
  const RawTensor& found = array(name);
  return detail::naming(content_->path, [&] { return to_tensor(found); });
}

// ---- Writing ----

namespace {

std::vector<std::byte> npz_bytes(std::span<const RawTensor> arrays, const NpzWriteOptions& options) {
  std::vector<std::string> headers;
  std::set<std::string_view> known;
  for (const RawTensor& array : arrays) {
    headers.push_back(detail::npy_header(array));
    require<ValueError>(known.insert(array.name).second, "duplicate name \"{}\"", array.name);
    detail::require_utf8("name", array.name);
    require<ValueError>(array.name.find('\0') == std::string::npos,
                        "\"{}\" is not a valid name (a NUL character follows)", array.name.c_str());
  }
  std::vector<detail::ZipMember> members;
  for (std::size_t i = 0; i < arrays.size(); ++i) {
    members.push_back({.name = arrays[i].name + std::string(ending),
                       .head = std::as_bytes(std::span(headers[i])),
                       .body = arrays[i].bytes});
  }
  return detail::zip_file(members, options.compressed);
}

}  // namespace

void write_npz(const std::string& path, std::span<const RawTensor> arrays, const NpzWriteOptions& options) {
  const std::vector<std::byte> bytes = detail::naming(path, [&] { return npz_bytes(arrays, options); });
  AtomicFile file(path);
  file.write(bytes);
  file.commit();
}

}  // namespace cornu
