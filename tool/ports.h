#pragma once

#include <map>
#include <string>
#include <vector>

/// The inputs and outputs of a model on the command line: NAME=FILE.
namespace cornu::tool {

/// The files by the names of the ports. Files without a name belong to the first ports that have none. A text that is
/// the name of an existing file has no name in it. `where` begins errors: "--input ". Throws UsageError for a name that
/// is not a port's, a port with two files, and files that are left over; it lists the ports.
std::map<std::string, std::string> files_of(const std::vector<std::string>& given,
                                            const std::vector<std::string>& ports, const char* where);

/// Throws UsageError, listing them, for ports without a file.
void require_all(const std::map<std::string, std::string>& files, const std::vector<std::string>& ports,
                 const std::string& model, const char* what);

/// The position of an output; the first one if `name` is empty. Throws UsageError, listing them, if there is none.
std::size_t position_of_output(const std::string& name, const std::vector<std::string>& outputs,
                               const std::string& model);

}  // namespace cornu::tool
