#pragma once

#include <filesystem>
#include <string>
#include <string_view>

/// Files in folders where other users may write: what may be followed, and what may be written to.
namespace cornu::detail {

/// True for files of this user (the effective one) and of root. Any other user may have planted them.
bool is_trusted_owner(unsigned owner);

/// Why the contents of an existing file or folder cannot be trusted, or "" if they can: it belongs to another user, it
/// is a link of another user, or, if it is a folder, anybody may write to it.
std::string why_untrusted(const std::filesystem::path& path);

/// `path`, or the file behind it if it is a link. Throws FileError if a link on the way belongs to another user, or if
/// there are too many.
std::filesystem::path behind_links(const std::filesystem::path& path);

/// Moves an open file from the numbers 0 to 2 to a higher one: a program whose standard error is closed would write its
/// messages into the file. Returns -1 with errno set where that fails.
int above_standard_streams(int descriptor);

/// What `write_to_file` does with a file that is there already.
enum class Existing { append, replace, refuse };

/// Writes text to the end of a file, which is created if it is not there. Follows no link of another user and, in a
/// folder where anybody may write, no file of another user. Throws FileError, naming path and cause.
void write_to_file(const std::string& path, std::string_view text, Existing existing);

}  // namespace cornu::detail
