#include "cornu/datasets/download/download.h"

#include <fmt/format.h>

#include <chrono>
#include <cstdio>
#include <filesystem>
#include <optional>

#include "cornu/core/error.h"
#include "cornu/core/text/printable.h"
#include "cornu/core/text/write_text.h"
#include "cornu/datasets/download/http.h"
#include "cornu/datasets/download/sha256.h"
#include "cornu/formats/atomic_file.h"

namespace cornu {

namespace {

void check(const DownloadOptions& options) {
  const std::string& hash = options.sha256;
  const bool is_hash = hash.size() == 64 && hash.find_first_not_of("0123456789abcdef") == std::string::npos;
  require<ValueError>(!options.urls.empty(), "download: no URL was given");
  require<ValueError>(is_hash, "download: sha256 is \"{}\"; it must be 64 digits of 0-9 and a-f", hash);
  require<ValueError>(std::filesystem::path(options.destination).has_filename(),
                      "download: destination \"{}\" is not a file name", options.destination);
  require<ValueError>(options.size_limit > 0 && options.size_limit <= std::uint64_t{1} << 62,
                      "download: size_limit is {}; it must be from 1 to 2^62", options.size_limit);
  // More than a week overflows in some libraries.
  const auto in_range = [](auto seconds) { return seconds > 0 && seconds <= 7 * 24 * 60 * 60; };
  require<ValueError>(
      in_range(options.connect_timeout) && in_range(options.total_timeout) && in_range(options.low_speed_time),
      "download: a time limit is not positive, or longer than a week");
  require<ValueError>(options.max_redirects >= 0, "download: max_redirects is {}; it cannot be negative",
                      options.max_redirects);
}

/// Shows the progress on standard error if it is a terminal: one line that is overwritten, or occasional lines on a
/// terminal that cannot do so. Stops after a write error; the download continues.
class ProgressLine {
 public:
  explicit ProgressLine(const std::string& name)
      : name_(detail::printable(name)), smart_(detail::is_smart_terminal(stderr)), on_(detail::is_terminal(stderr)) {}
  ~ProgressLine() {  // following output begins on a new line
    if (shown_ && smart_) write("\n");
  }
  ProgressLine(const ProgressLine&) = delete;
  ProgressLine& operator=(const ProgressLine&) = delete;

  void show(const DownloadProgress& progress) {
    const auto now = std::chrono::steady_clock::now();
    const bool last = progress.received == progress.total;
    const auto interval = smart_ ? std::chrono::milliseconds(100) : std::chrono::seconds(5);
    if (shown_ && !last && now - *shown_ < interval) return;
    shown_ = now;
    constexpr auto megabytes = [](std::uint64_t bytes) { return static_cast<double>(bytes) / 1e6; };
    std::string text = fmt::format("{}: {:.1f}", name_, megabytes(progress.received));
    if (progress.total > 0) text += fmt::format(" of {:.1f}", megabytes(progress.total));
    write(smart_ ? "\r" + text + " MB\033[K" : text + " MB\n");
  }

 private:
  void write(std::string_view text) { on_ = on_ && detail::write_text(stderr, text); }

  std::string name_;
  bool smart_, on_;
  std::optional<std::chrono::steady_clock::time_point> shown_;
};

/// Returns nothing if the file is in place, and else the error of this URL. Throws FileError for errors that every
/// mirror would have: a folder that is not writable, a full disk.
std::optional<std::string> fetch(const std::string& url, const DownloadOptions& options) {
  const bool line = !options.progress && !options.quiet;
  ProgressLine progress_line(std::filesystem::path(options.destination).filename().string());
  AtomicFile file(options.destination);
  Sha256 hash;
  std::uint64_t size = 0;
  auto failure =
      detail::http_get(url, options, [&](std::span<const std::byte> bytes, const DownloadProgress& progress) {
        file.write(bytes);
        hash.update(bytes);
        size = progress.received;
        if (options.progress) options.progress(progress);
        if (line) progress_line.show(progress);
      });
  if (failure) return failure;
  const std::string came = hash.hex();
  if (came != options.sha256) {
    return message("the {} bytes received have the SHA-256 {}, expected {}", size, came, options.sha256);
  }
  file.commit();
  return std::nullopt;
}

}  // namespace

void download(const DownloadOptions& options) {
  check(options);
  std::string failures;
  for (const std::string& url : options.urls) {
    const auto failure = fetch(url, options);
    if (!failure) return;
    failures += message("\n  {}: {}", url, *failure);
  }
  throw FileError(message("{}: could not be downloaded", options.destination) + failures);
}

}  // namespace cornu
