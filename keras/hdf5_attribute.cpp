#include "cornu/keras/hdf5_attribute.h"

#include <cstring>
#include <optional>

namespace cornu::keras::detail {

namespace {

constexpr std::size_t most_attributes = 10000;

/// A text of a fixed number of bytes, which ends at a zero or is padded.
std::string fixed_text(const char* bytes, std::size_t size, H5T_str_t padding) {
  const void* const end = std::memchr(bytes, 0, size);
  std::string text(bytes, end == nullptr ? size : static_cast<std::size_t>(static_cast<const char*>(end) - bytes));
  if (padding == H5T_STR_SPACEPAD) text.erase(text.find_last_not_of(' ') + 1);
  return text;
}

/// Texts that libhdf5 has allocated, freed by the destructor.
struct VariableTexts {
  hid_t type, space;
  std::vector<char*> texts;

  ~VariableTexts() { H5Dvlen_reclaim(type, space, H5P_DEFAULT, texts.data()); }
};

/// nullopt if the attribute does not hold text.
std::optional<std::vector<std::string>> texts_of(hid_t attribute, std::size_t limit) {
  constexpr const char* what = "an attribute";
  const Handle type(H5Aget_type(attribute), H5Tclose, what), space(H5Aget_space(attribute), H5Sclose, what);
  if (H5Tget_class(type) != H5T_STRING) return std::nullopt;
  const auto count = static_cast<std::size_t>(well(H5Sget_simple_extent_npoints(space), what));
  const std::size_t size = H5Tget_size(type);
  require<FormatError>(size > 0 && count <= limit / size, "an attribute has {} texts of {} bytes, more than the file",
                       count, size);
  std::vector<std::string> result;
  if (count == 0) return result;
  if (well(H5Tis_variable_str(type), what) > 0) {
    const Handle memory(H5Tcopy(H5T_C_S1), H5Tclose, what);
    well(H5Tset_size(memory, H5T_VARIABLE), what);
    well(H5Tset_cset(memory, H5Tget_cset(type)), what);
    VariableTexts read{memory, space, std::vector<char*>(count, nullptr)};
    well(H5Aread(attribute, memory, read.texts.data()), what);
    for (const char* text : read.texts) result.emplace_back(text == nullptr ? "" : text);
  } else {
    std::vector<char> bytes(count * size);
    well(H5Aread(attribute, type, bytes.data()), what);
    for (std::size_t i = 0; i < count; ++i) {
      result.push_back(fixed_text(bytes.data() + i * size, size, H5Tget_strpad(type)));
    }
  }
  return result;
}

herr_t append_name(hid_t, const char* name, const H5A_info_t*, void* to) {
  try {
    auto& names = *static_cast<std::vector<std::string>*>(to);
    if (names.size() == most_attributes) return -1;
    names.emplace_back(name);
    return 0;
  } catch (...) {  // an exception must not pass through libhdf5
    return -1;
  }
}

}  // namespace

std::vector<std::string> attribute_names(hid_t object) {
  std::vector<std::string> names;
  hsize_t at = 0;
  well(H5Aiterate2(object, H5_INDEX_NAME, H5_ITER_INC, &at, append_name, &names), "the attributes");
  return names;
}

std::map<std::string, std::vector<std::string>> attribute_texts(hid_t object, std::size_t limit) {
  std::map<std::string, std::vector<std::string>> result;
  for (const std::string& name : attribute_names(object)) {
    const Handle attribute(H5Aopen(object, name.c_str(), H5P_DEFAULT), H5Aclose, "an attribute");
    if (auto texts = texts_of(attribute, limit)) result.emplace(name, std::move(*texts));
  }
  return result;
}

}  // namespace cornu::keras::detail
