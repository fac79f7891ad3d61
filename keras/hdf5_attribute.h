#pragma once

#include <map>
#include <string>
#include <vector>

#include "cornu/keras/hdf5_handle.h"

namespace cornu::keras::detail {

/// The names of all attributes of an object.
std::vector<std::string> attribute_names(hid_t object);
/// The texts in the attributes of an object, by the attributes' names. Other attributes are left out. Throws
/// FormatError for a damaged attribute, and for one of more than `limit` bytes.
std::map<std::string, std::vector<std::string>> attribute_texts(hid_t object, std::size_t limit);

}  // namespace cornu::keras::detail
