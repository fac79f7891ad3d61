#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "cornu/core/compiler.h"

namespace cornu {

struct DownloadProgress {
  std::uint64_t received = 0;  // Bytes so far.
  std::uint64_t total = 0;     // Bytes that the server promises; 0 if it does not say.
};

struct DownloadOptions {
  /// Where the file is to be had, tried in this order until one of them works.
  std::vector<std::string> urls;
  /// The hash of the file as it is sent, 64 hexadecimal digits. Required: what a mirror sends is not trusted.
  std::string sha256;
  std::string destination;
  /// Anything larger, in bytes, is broken off.
  std::uint64_t size_limit = std::uint64_t{1} << 30;

  /// In seconds; each limit holds for each of the urls, and is at most a week.
  double connect_timeout = 15;
  double total_timeout = 30 * 60;
  /// Broken off when fewer than `low_speed_limit` bytes a second come for so many whole seconds.
  long low_speed_time = 30;
  long low_speed_limit = 100;
  int max_redirects = 5;

  /// Called now and then while the file comes. Where left out, a line on stderr shows the progress if that is a
  /// terminal; `quiet` turns it off.
  std::function<void(const DownloadProgress&)> progress{};
  bool quiet = false;

  /// Everything goes by https. This lets http through, to this machine alone; the tests need it.
  bool allow_http_to_loopback = false;
};

/// Fetches a file and puts it at `destination`, whole and with the right hash, or not at all; a file that is there
/// already is replaced. The hash is that of the bytes as they come, so that nothing is unpacked before it is checked.
/// Throws ValueError for options that make no sense; FileError, with what went wrong at each of the urls, if none of
/// them had the file, and if Cornu was built without libcurl. What `progress` throws ends the download and is passed
/// on.
void download(const DownloadOptions& options);

/// Whether Cornu was built with libcurl.
bool can_download();

}  // namespace cornu
