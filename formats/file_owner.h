#pragma once

#include <filesystem>
#include <string>
#include <string_view>

/// Safe access to files in folders where other users can write: which links to follow, which files to write.
namespace cornu::detail {

/// True for the effective user and for root. A file of any other user may have been planted.
bool is_trusted_owner(unsigned owner);

/// Why the contents of an existing file or folder cannot be trusted, or "" if they can. Not trusted: a file, folder or
/// link that belongs to another user, and a folder that everyone can write to.
std::string why_untrusted(const std::filesystem::path& path);

/// Follows symbolic links: returns `path`, or the file it points to. Throws FileError if a link on the way belongs to
/// another user, or for too many links.
std::filesystem::path behind_links(const std::filesystem::path& path);

/// Moves a descriptor from 0, 1 or 2 to a higher number, so that a program started with standard error closed does not
/// write its messages into the file. Returns -1 and sets errno on failure.
int above_standard_streams(int descriptor);

/// What `write_to_file` does if the file exists.
enum class Existing { append, replace, refuse };

/// Writes text to a file, which is created if it does not exist: at its end, or instead of its content with
/// `Existing::replace`. Follows no link of another user, and opens no file of another user in a folder that everyone
/// can write to. Throws FileError, naming path and cause.
void write_to_file(const std::string& path, std::string_view text, Existing existing);

}  // namespace cornu::detail
