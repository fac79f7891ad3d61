#include "cornu/datasets/mnist_files.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstdlib>
#include <optional>
#include <system_error>
#include <utility>

#include "cornu/core/error.h"
#include "cornu/core/text/listed.h"
#include "cornu/datasets/download/download.h"
#include "cornu/formats/file_owner.h"
#include "cornu/formats/idx.h"

namespace cornu::datasets::detail {

namespace fs = std::filesystem;

namespace {

/// The files of a source in the order of MnistPaths.
std::array<const MnistFile*, 4> files_of(const MnistSource& source) {
  return {&source.train_images, &source.train_labels, &source.test_images, &source.test_labels};
}

/// The four files if the folder has all of them; otherwise appends a line with the reason to `tried`.
std::optional<MnistPaths> find_all(const fs::path& folder, const MnistSource& source, std::string& tried) {
  std::error_code error;
  if (!fs::is_directory(folder / ".", error)) {  // the dot fails without permission to look inside
    tried +=
        fmt::format("\n  {}: {}", folder.string(),
                    error == std::errc::permission_denied ? "no permission to look inside" : "there is no such folder");
    return std::nullopt;
  }
  std::vector<fs::path> found;
  std::vector<std::string> missing;
  for (const MnistFile* file : files_of(source)) {
    if (auto path = find_file(folder, file->name)) {
      found.push_back(std::move(*path));
    } else {
      missing.push_back(file->name);
    }
  }
  if (missing.empty()) return MnistPaths{found[0], found[1], found[2], found[3]};
  tried += fmt::format("\n  {}: lacks {}", folder.string(), cornu::detail::listed(missing));
  return std::nullopt;
}

std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value ? value : "";
}

/// The folder for files that can be downloaded again, by the XDG Base Directory Specification; empty if there is none.
fs::path cache_folder(const MnistSource& source) {
  fs::path cache = variable("XDG_CACHE_HOME");
  if (!cache.is_absolute()) {  // the specification requires ignoring relative paths
    const std::string home = variable("HOME");
    if (home.empty()) return {};
    cache = fs::path(home) / ".cache";
  }
  return cache / "cornu" / source.name;
}

/// The reason why another user could have put files into the cache, or "" if none could. `folder` is two levels below
/// the user's cache folder, which may be a shared one such as /tmp.
std::string why_untrusted(const fs::path& folder) {
  for (const fs::path& level : {folder.parent_path(), folder}) {
    std::string reason = cornu::detail::why_untrusted(level);
    if (!reason.empty()) return message("{}: not used: {}", level.string(), reason);
  }
  return "";
}

/// Creates a folder and its parents for this user only, as the XDG Base Directory Specification requires.
std::error_code create_private(const fs::path& folder) {
  std::error_code error;
  if (fs::is_directory(folder, error)) return {};
  if (folder.has_relative_path()) error = create_private(folder.parent_path());
  if (error || ::mkdir(folder.c_str(), 0700) == 0 || errno == EEXIST) return error;
  return {errno, std::generic_category()};
}

/// Downloads the files that the folder does not have.
void download_missing(const fs::path& folder, const MnistSource& source, const MnistOptions& options) {
  const std::error_code error = create_private(folder);
  require<FileError>(!error, "{}: this folder cannot be created ({})", folder.string(), error.message());
  const std::string untrusted = why_untrusted(folder);  // again: another process may have created the folder
  require<FileError>(untrusted.empty(), "{}", untrusted);
  for (const MnistFile* file : files_of(source)) {
    if (find_file(folder, file->name)) continue;
    std::vector<std::string> urls;
    for (const std::string& mirror : source.mirrors) urls.push_back(mirror + file->name + ".gz");
    download({.urls = std::move(urls),
              .sha256 = file->sha256,
              .destination = folder / (file->name + ".gz"),
              .size_limit = file->size,
              .quiet = options.quiet,
              .allow_http_to_loopback = source.allow_http_to_loopback});
  }
}

/// Indents each line of a text.
std::string indented(std::string text) {
  for (std::size_t at = 0; (at = text.find('\n', at)) != std::string::npos; at += 3) text.replace(at, 1, "\n  ");
  return text;
}

/// Reads a file and checks its magic number.
IdxArray read(const fs::path& path, std::uint32_t magic, const char* hint) {
  IdxArray array = read_idx(path);
  const std::uint32_t came = array.magic();
  require<FormatError>(came == magic, "{}: magic {}, expected {}{}", path.string(), came, magic,
                       came == 2049 || came == 2051 ? hint : "");
  return array;
}

}  // namespace

std::optional<fs::path> find_file(const fs::path& folder, std::string name) {
  std::vector<std::string> names{name, name + ".gz"};
  if (const auto dash = name.rfind("-idx"); dash != std::string::npos) {
    name[dash] = '.';  // the name used by torchvision and inside LeCun's archives
    names.insert(names.end(), {name, name + ".gz"});
  }
  for (const std::string& candidate : names) {
    std::error_code ignored;
    if (fs::is_regular_file(folder / candidate, ignored)) return folder / candidate;
  }
  return std::nullopt;
}

MnistPaths find_mnist(const MnistSource& source, const MnistOptions& options) {
  std::string tried;
  if (!options.directory.empty()) {
    if (auto paths = find_all(options.directory, source, tried)) return *paths;
  }
  if (const std::string data = variable("CORNU_DATA"); data.empty()) {
    tried += "\n  $CORNU_DATA: not set";
  } else if (auto paths = find_all(fs::path(data) / source.name, source, tried)) {
    return *paths;
  }
  const fs::path cache = cache_folder(source);
  if (cache.empty()) {
    tried += "\n  the user's cache folder: none, because neither XDG_CACHE_HOME nor HOME is set";
  } else if (const std::string untrusted = why_untrusted(cache); !untrusted.empty()) {
    tried += "\n  " + untrusted;
  } else if (auto paths = find_all(cache, source, tried)) {
    return *paths;
  } else if (!options.download) {
    tried += "\n  download: not allowed (.download = false)";
  } else {
    try {
      download_missing(cache, source, options);
      if (auto downloaded = find_all(cache, source, tried)) return *downloaded;
    } catch (const FileError& error) {
      tried += "\n  download: " + indented(error.what());
    }
  }
  throw FileError(
      fmt::format("{}: the files were not found:{}\n  (give the folder they are in, or set CORNU_DATA to the parent of "
                  "a folder named {})",
                  source.name, tried, source.name));
}

ImageDataset load_images(const fs::path& images_path, const fs::path& labels_path, const ImageOptions& options) {
  IdxArray images = read(images_path, 2051, " (is this the labels file?)");
  IdxArray labels = read(labels_path, 2049, " (is this the images file?)");
  auto& pixels = std::get<std::vector<std::uint8_t>>(images.data);
  auto& classes = std::get<std::vector<std::uint8_t>>(labels.data);
  const Index count = images.dimensions[0];
  const Shape shape{images.dimensions[1], images.dimensions[2]};
  require<FormatError>(shape == options.shape, "{}: images of {} pixels, expected {}", images_path.string(), shape,
                       options.shape);
  require<FormatError>(count > 0, "{}: it contains no images", images_path.string());
  require<FormatError>(count == std::ssize(classes), "{}: {} labels, but {} has {} images", labels_path.string(),
                       classes.size(), images_path.string(), count);
  for (std::size_t row = 0; row < classes.size(); ++row) {
    require<FormatError>(classes[row] < options.classes, "{}: label {} in row {}; labels must be below {}",
                         labels_path.string(), classes[row], row, options.classes);
  }
  return ImageDataset(std::move(pixels), std::move(classes), options);
}

}  // namespace cornu::datasets::detail
