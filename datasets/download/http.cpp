#include "cornu/datasets/download/http.h"

#include "cornu/core/error.h"

#ifndef CORNU_HAS_CURL

bool cornu::can_download() { return false; }

std::optional<std::string> cornu::detail::http_get(
    const std::string&, const DownloadOptions&,
    const std::function<void(std::span<const std::byte>, DownloadProgress)>&) {
  return "this Cornu was built without libcurl, which downloads need";
}

#else

#include <curl/curl.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <exception>
#include <memory>
#include <new>
#include <string_view>

namespace cornu {

bool can_download() { return true; }

namespace detail {

namespace {

using Url = std::unique_ptr<CURLU, decltype(&curl_url_cleanup)>;
using Handle = std::unique_ptr<CURL, decltype(&curl_easy_cleanup)>;

/// Monotonic time.
double seconds_now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

/// For libcurl, where 0 means no limit.
long milliseconds(double seconds) { return static_cast<long>(std::clamp(seconds * 1000, 1.0, 2e9)); }

struct CurlLibrary {
  CurlLibrary() {
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) throw FileError("libcurl cannot be started");
  }
  ~CurlLibrary() { curl_global_cleanup(); }
};

std::string part(const Url& url, CURLUPart which) {
  char* text = nullptr;
  if (curl_url_get(url.get(), which, &text, 0) != CURLUE_OK) return "";
  const std::unique_ptr<char, decltype(&curl_free)> owner(text, &curl_free);
  return text;
}

bool is_loopback(const std::string& host) { return host == "127.0.0.1" || host == "[::1]" || host == "localhost"; }

/// Size limit in bytes for the ignored body of a redirect.
constexpr std::uint64_t largest_page = 1 << 20;

/// One response of a server.
struct Transfer {
  CURL* handle;
  const DownloadOptions& options;
  const std::function<void(std::span<const std::byte>, DownloadProgress)>& body;
  std::uint64_t received = 0;
  bool too_large = false;
  std::exception_ptr thrown{};

  long status() const {
    long result = 0;
    curl_easy_getinfo(handle, CURLINFO_RESPONSE_CODE, &result);
    return result;
  }

  std::uint64_t total() const {
    curl_off_t result = 0;
    curl_easy_getinfo(handle, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &result);
    return static_cast<std::uint64_t>(std::max<curl_off_t>(result, 0));
  }

  /// Replaces libcurl's CURLOPT_MAXFILESIZE, which also applies to the bodies of redirects and errors.
  std::uint64_t limit() const { return status() == 200 ? options.size_limit : largest_page; }

  bool take(std::span<const std::byte> bytes) {
    received += bytes.size();
    too_large = std::max(received, total()) > limit();
    if (too_large) return false;
    if (status() != 200) return true;
    try {
      body(bytes, {.received = received, .total = total()});
      return true;
    } catch (...) {  // exceptions must not cross C code; rethrown after the transfer
      thrown = std::current_exception();
      return false;
    }
  }

  static std::size_t write(char* data, std::size_t, std::size_t size, void* self) {
    const bool go_on = static_cast<Transfer*>(self)->take(std::as_bytes(std::span(data, size)));
    return go_on ? size : 0;  // any number but size aborts the transfer
  }

  std::string failure(CURLcode code, const char* text) const {
    std::string cause = *text ? text : curl_easy_strerror(code);
    if (too_large) return message("more than the {} bytes allowed were sent; the download was aborted", limit());
    switch (code) {
      case CURLE_HTTP_RETURNED_ERROR:
        return message("the server answered with HTTP status {}", status());
      case CURLE_PARTIAL_FILE:
        return message("the connection ended too early ({})", cause);
      case CURLE_OPERATION_TIMEDOUT:
        return message("it took too long ({})", cause);
      default:
        return cause;
    }
  }
};

void set_limits(CURL* handle, const DownloadOptions& options, double deadline, bool loopback) {
  curl_easy_setopt(handle, CURLOPT_TIMEOUT_MS, milliseconds(deadline - seconds_now()));
  curl_easy_setopt(handle, CURLOPT_CONNECTTIMEOUT_MS, milliseconds(options.connect_timeout));
  curl_easy_setopt(handle, CURLOPT_LOW_SPEED_TIME, options.low_speed_time);
  curl_easy_setopt(handle, CURLOPT_LOW_SPEED_LIMIT, options.low_speed_limit);
  curl_easy_setopt(handle, CURLOPT_FAILONERROR, 1L);
  curl_easy_setopt(handle, CURLOPT_NOSIGNAL, 1L);  // signals do not work with threads
  curl_easy_setopt(handle, CURLOPT_USERAGENT, "cornu");
  if (loopback) curl_easy_setopt(handle, CURLOPT_NOPROXY, "*");
}

}  // namespace

std::optional<std::string> http_get(const std::string& url, const DownloadOptions& options,
                                    const std::function<void(std::span<const std::byte>, DownloadProgress)>& body) {
  static const CurlLibrary library;
  const double deadline = seconds_now() + options.total_timeout;
  const Handle handle(curl_easy_init(), &curl_easy_cleanup);
  if (!handle) throw std::bad_alloc();

  // Follows redirects here, not in libcurl, so that each target passes the same checks as the first URL.
  std::string next = url;
  for (int redirects = 0;; ++redirects) {
    const Url parsed(curl_url(), &curl_url_cleanup);
    if (!parsed) throw std::bad_alloc();
    if (curl_url_set(parsed.get(), CURLUPART_URL, next.c_str(), 0) != CURLUE_OK) {
      // Does not quote the server's text, which may contain anything, such as terminal control characters.
      return redirects == 0 ? "this is not a URL" : "redirected to an invalid URL";
    }
    if (redirects > options.max_redirects) {
      return message("redirected more than {} times, most recently to {}", options.max_redirects, next);
    }
    const std::string where = redirects == 0 ? "" : message("redirected to {}: ", next);
    const std::string scheme = part(parsed, CURLUPART_SCHEME);
    const bool loopback = is_loopback(part(parsed, CURLUPART_HOST));
    if (scheme != "https" && !(scheme == "http" && loopback && options.allow_http_to_loopback)) {
      return where + message("only https is allowed, not {}", scheme);
    }

    std::array<char, CURL_ERROR_SIZE> text{};
    Transfer transfer{handle.get(), options, body};
    curl_easy_reset(handle.get());
    set_limits(handle.get(), options, deadline, loopback);
    curl_easy_setopt(handle.get(), CURLOPT_CURLU, parsed.get());
    curl_easy_setopt(handle.get(), CURLOPT_ERRORBUFFER, text.data());
    curl_easy_setopt(handle.get(), CURLOPT_WRITEFUNCTION, &Transfer::write);
    curl_easy_setopt(handle.get(), CURLOPT_WRITEDATA, &transfer);
    const CURLcode code = curl_easy_perform(handle.get());
    if (transfer.thrown) std::rethrow_exception(transfer.thrown);
    if (code != CURLE_OK) return where + transfer.failure(code, text.data());
    if (transfer.status() == 200) return std::nullopt;

    const char* redirect = nullptr;
    curl_easy_getinfo(handle.get(), CURLINFO_REDIRECT_URL, &redirect);
    if (redirect == nullptr) return where + message("the server answered with HTTP status {}", transfer.status());
    next = redirect;
  }
}

}  // namespace detail

}  // namespace cornu

#endif
