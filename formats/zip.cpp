#include "cornu/formats/zip.h"

#include "cornu/core/error.h"

#ifndef CORNU_HAS_LIBZIP

namespace cornu::detail {

namespace {

[[noreturn]] void fail() { throw FileError("this Cornu was built without libzip, which .npz and PyTorch files need"); }

}  // namespace

struct ZipReader::Archive {};

bool has_zip() { return false; }

ZipReader::ZipReader(std::span<const std::byte>) { fail(); }
ZipReader::~ZipReader() = default;
Index ZipReader::size() const { fail(); }
std::string ZipReader::name(Index) const { fail(); }
std::uint64_t ZipReader::size_of(Index) const { fail(); }
std::vector<std::byte> ZipReader::read(Index, std::uint64_t) const { fail(); }
std::vector<std::byte> zip_file(std::span<const ZipMember>, bool) { fail(); }

}  // namespace cornu::detail

#else

#include <zip.h>

#include <algorithm>
#include <array>
#include <new>

namespace cornu::detail {

namespace {

/// libzip's description of an error.
class ZipError {
 public:
  ZipError() { zip_error_init(&error_); }
  ~ZipError() { zip_error_fini(&error_); }
  ZipError(const ZipError&) = delete;
  ZipError& operator=(const ZipError&) = delete;

  zip_error_t* get() { return &error_; }

 private:
  zip_error_t error_;
};

template <class E = FormatError>
[[noreturn]] void fail(const char* what, zip_error_t* error) {
  if (zip_error_code_zip(error) == ZIP_ER_MEMORY) throw std::bad_alloc();
  throw E(message("{} ({})", what, zip_error_strerror(error)));
}

using Source = std::unique_ptr<zip_source_t, decltype(&zip_source_free)>;
using Zip = std::unique_ptr<zip_t, decltype(&zip_discard)>;
using File = std::unique_ptr<zip_file_t, decltype(&zip_fclose)>;

zip_uint64_t index_of(Index member) { return static_cast<zip_uint64_t>(member); }

zip_stat_t stat_of(zip_t* zip, Index member) {
  zip_stat_t result;
  zip_stat_init(&result);
  if (zip_stat_index(zip, index_of(member), 0, &result) != 0) fail("it cannot be found", zip_get_error(zip));
  return result;
}

Zip open(Source source, int flags) {
  ZipError error;
  Zip zip(zip_open_from_source(source.get(), flags, error.get()), &zip_discard);
  if (!zip) fail("it is not a zip file", error.get());
  static_cast<void>(source.release());  // the archive owns it now
  return zip;
}

Source buffer(const void* data, std::size_t size) {
  ZipError error;
  Source source(zip_source_buffer_create(data, size, 0, error.get()), &zip_source_free);
  if (!source) fail("it cannot be read", error.get());
  return source;
}

}  // namespace

bool has_zip() { return true; }

// ---- Reading ----

struct ZipReader::Archive {
  Zip zip;
  std::size_t file_size;
};

ZipReader::ZipReader(std::span<const std::byte> file)
    : archive_(new Archive{open(buffer(file.data(), file.size()), ZIP_RDONLY), file.size()}) {
  // Thousands of members may share the same bytes, so that a small file could expand to any size.
  std::uint64_t left = file.size();
  for (Index i = 0; i < size(); ++i) {
    const std::uint64_t packed = stat_of(archive_->zip.get(), i).comp_size;
    require<FormatError>(packed <= left, "its members take more than the {} bytes of the file", file.size());
    left -= packed;
  }
}
ZipReader::~ZipReader() = default;

Index ZipReader::size() const { return static_cast<Index>(zip_get_num_entries(archive_->zip.get(), 0)); }

std::string ZipReader::name(Index member) const {
  const char* const name = zip_get_name(archive_->zip.get(), index_of(member), 0);
  if (name == nullptr) fail("the name of a member cannot be read", zip_get_error(archive_->zip.get()));
  return name;
}

std::uint64_t ZipReader::size_of(Index member) const { return stat_of(archive_->zip.get(), member).size; }

std::vector<std::byte> ZipReader::read(Index member, std::uint64_t limit) const {
  zip_t* const zip = archive_->zip.get();
  const zip_stat_t stat = stat_of(zip, member);
  require<FormatError>(stat.encryption_method == ZIP_EM_NONE, "it is encrypted");
  require<FormatError>(stat.comp_method == ZIP_CM_STORE || stat.comp_method == ZIP_CM_DEFLATE,
                       "it is compressed by method {}; 0 (stored) and 8 (deflate) are supported", stat.comp_method);
  require<FormatError>(stat.size <= limit, "it takes {} bytes, but .size_limit leaves {}", stat.size, limit);
  const File file(zip_fopen_index(zip, index_of(member), 0), &zip_fclose);
  if (!file) fail("it cannot be decompressed", zip_get_error(zip));
  const auto take = [&](std::byte* to, std::size_t size) {
    const zip_int64_t taken = zip_fread(file.get(), to, size);
    if (taken < 0) fail("it cannot be decompressed", zip_file_get_error(file.get()));
    return static_cast<std::size_t>(taken);
  };

  // stat.size comes from the file and may lie: grow only as data arrive.
  std::vector<std::byte> result;
  for (std::size_t done = 0; done < stat.size;) {
    if (done == result.size()) result.resize(std::min(stat.size, std::max(2 * done, archive_->file_size)));
    const std::size_t taken = take(result.data() + done, result.size() - done);
    require<FormatError>(taken > 0, "it ends after {} of {} bytes", done, stat.size);
    done += taken;
  }
  std::byte more;  // libzip compares the checksum only when it reaches the end
  require<FormatError>(take(&more, 1) == 0, "it continues after its {} bytes", stat.size);
  return result;
}

// ---- Writing ----

std::vector<std::byte> zip_file(std::span<const ZipMember> members, bool compressed) {
  if (members.empty()) {  // libzip writes nothing for an empty archive: write the end-of-directory record
    std::vector<std::byte> empty(22);
    constexpr std::array<std::byte, 4> magic{std::byte{'P'}, std::byte{'K'}, std::byte{5}, std::byte{6}};
    std::copy(magic.begin(), magic.end(), empty.begin());
    return empty;
  }
  std::vector<std::array<zip_buffer_fragment_t, 2>> parts;  // must outlive the writing
  for (const ZipMember& member : members) {
    // libzip's type is not const, but libzip does not write to the bytes.
    const auto part = [](std::span<const std::byte> bytes) {
      auto* const data = reinterpret_cast<zip_uint8_t*>(const_cast<std::byte*>(bytes.data()));
      return zip_buffer_fragment_t{.data = data, .length = bytes.size()};
    };
    // libzip does not expect an empty part before another one.
    const bool swapped = member.head.empty();
    parts.push_back({part(swapped ? member.body : member.head), part(swapped ? member.head : member.body)});
  }

  Source target = buffer(nullptr, 0);
  zip_source_keep(target.get());
  const Source written(target.get(), &zip_source_free);
  Zip zip = open(std::move(target), ZIP_CREATE | ZIP_TRUNCATE);
  for (std::size_t i = 0; i < members.size(); ++i) {
    ZipError error;
    Source source(zip_source_buffer_fragment_create(parts[i].data(), parts[i].size(), 0, error.get()),
                  &zip_source_free);
    if (!source) fail("it cannot be written", error.get());
    const zip_int64_t added = zip_file_add(zip.get(), members[i].name.c_str(), source.get(), ZIP_FL_ENC_UTF_8);
    if (added < 0)
      fail<ValueError>(("\"" + members[i].name + "\" is not a valid name").c_str(), zip_get_error(zip.get()));
    static_cast<void>(source.release());  // the archive owns it now
    const auto index = static_cast<zip_uint64_t>(added);
    // The earliest date of the zip format, used by NumPy too.
    constexpr zip_uint16_t first_of_january_1980 = 1 << 5 | 1;
    zip_set_file_compression(zip.get(), index, compressed ? ZIP_CM_DEFLATE : ZIP_CM_STORE, 0);
    zip_file_set_dostime(zip.get(), index, 0, first_of_january_1980, 0);
  }
  if (zip_close(zip.get()) != 0) fail<FileError>("the zip file cannot be created", zip_get_error(zip.get()));
  static_cast<void>(zip.release());  // closed

  zip_stat_t stat;
  zip_stat_init(&stat);
  if (zip_source_stat(written.get(), &stat) != 0 || zip_source_open(written.get()) != 0) {
    fail<FileError>("the zip file cannot be created", zip_source_error(written.get()));
  }
  std::vector<std::byte> result(stat.size);
  const zip_int64_t taken = zip_source_read(written.get(), result.data(), result.size());
  zip_source_close(written.get());
  require<FileError>(taken == std::ssize(result), "the zip file cannot be created ({} of {} bytes)", taken,
                     result.size());
  return result;
}

}  // namespace cornu::detail

#endif
