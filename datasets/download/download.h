#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "cornu/core/compiler.h"

namespace cornu {

struct DownloadProgress {
  std::uint64_t received = 0;  // bytes so far
  std::uint64_t total = 0;     // bytes announced by the server; 0 if unknown
};

struct DownloadOptions {
  /// URLs of the file, tried in order until one works.
  std::vector<std::string> urls;
  /// SHA-256 of the file as it is sent, 64 lower-case hexadecimal digits. Required, because mirrors are not trusted.
  std::string sha256;
  std::string destination;
  /// Upper bound in bytes; larger files are refused.
  std::uint64_t size_limit = std::uint64_t{1} << 30;

  /// In seconds, at most a week. Each limit applies to each URL.
  double connect_timeout = 15;
  double total_timeout = 30 * 60;
  /// Aborts if the rate stays below `low_speed_limit` bytes per second for this number of seconds.
  long low_speed_time = 30;
  long low_speed_limit = 100;
  int max_redirects = 5;

  /// Called regularly during the download. Default: a progress line on stderr if that is a terminal; `quiet` turns it
  /// off.
  std::function<void(const DownloadProgress&)> progress{};
  bool quiet = false;

  /// Only https is allowed. This also allows http from this machine; the tests need it.
  bool allow_http_to_loopback = false;
};

/// Downloads a file to `destination` atomically: it appears complete and with the right hash, or not at all. An
/// existing file is replaced. The hash is that of the bytes as sent, so nothing is unpacked before it is checked.
/// Throws ValueError for invalid options. Throws FileError, with the error of each URL, if all of them fail, and if
/// Cornu was built without libcurl. An exception from `progress` aborts the download and is passed on.
void download(const DownloadOptions& options);

/// True if Cornu was built with libcurl.
bool can_download();

}  // namespace cornu
