#include "cornu/keras/hdf5_file.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <set>

#include "cornu/core/text/naming.h"
#include "cornu/formats/file_kind.h"
#include "cornu/keras/hdf5_attribute.h"

namespace cornu::keras::detail {

namespace {

using cornu::detail::naming;

constexpr std::size_t most_objects = 100'000;
constexpr int most_levels = 64;

/// How an array is read: the type of its elements here, and libhdf5's type to read them as.
struct ElementType {
  Dtype dtype;
  Handle memory;
};

Handle copy_of(hid_t type) { return {H5Tcopy(type), H5Tclose, "a type"}; }

/// The type of an attribute "dtype" of Keras's, "bfloat16", or "".
std::string keras_type(hid_t dataset) {
  if (well(H5Aexists(dataset, "dtype"), "the attributes") == 0) return "";
  const auto texts = attribute_texts(dataset, 4096);
  const auto found = texts.find("dtype");
  return found == texts.end() || found->second.size() != 1 ? "" : found->second[0];
}

/// Null if Cornu has no such type.
std::optional<ElementType> element_type(hid_t dataset, hid_t type) {
  const std::size_t size = H5Tget_size(type);
  switch (H5Tget_class(type)) {
    case H5T_FLOAT:
      if (size <= 4) return ElementType{Dtype::f32, copy_of(H5T_IEEE_F32LE)};
      if (size == 8) return ElementType{Dtype::f64, copy_of(H5T_IEEE_F64LE)};
      return std::nullopt;
    case H5T_INTEGER: {
      const bool is_signed = H5Tget_sign(type) == H5T_SGN_2;
      switch (size) {
        case 1:
          return is_signed ? ElementType{Dtype::i8, copy_of(H5T_STD_I8LE)}
                           : ElementType{Dtype::u8, copy_of(H5T_STD_U8LE)};
        case 2:
          return is_signed ? ElementType{Dtype::i16, copy_of(H5T_STD_I16LE)}
                           : ElementType{Dtype::u16, copy_of(H5T_STD_U16LE)};
        case 4:
          return is_signed ? ElementType{Dtype::i32, copy_of(H5T_STD_I32LE)}
                           : ElementType{Dtype::u32, copy_of(H5T_STD_U32LE)};
        case 8:
          return is_signed ? ElementType{Dtype::i64, copy_of(H5T_STD_I64LE)}
                           : ElementType{Dtype::u64, copy_of(H5T_STD_U64LE)};
        default:
          return std::nullopt;
      }
    }
    case H5T_ENUM:  // as h5py stores booleans
      if (size == 1) return ElementType{Dtype::boolean, copy_of(type)};
      return std::nullopt;
    case H5T_OPAQUE:
      if (size == 2 && keras_type(dataset) == "bfloat16") return ElementType{Dtype::bf16, copy_of(type)};
      return std::nullopt;
    default:
      return std::nullopt;
  }
}

/// Throws FormatError unless the filters of a dataset are among those that are part of libhdf5.
void require_known_filters(hid_t properties, int count) {
  constexpr std::array known{H5Z_FILTER_DEFLATE, H5Z_FILTER_SHUFFLE, H5Z_FILTER_FLETCHER32};
  for (int i = 0; i < count; ++i) {
    unsigned flags = 0, config = 0;
    std::size_t values = 0;
    std::array<char, 64> name{};
    const H5Z_filter_t filter = H5Pget_filter2(properties, static_cast<unsigned>(i), &flags, &values, nullptr,
                                               name.size() - 1, name.data(), &config);
    require<FormatError>(std::find(known.begin(), known.end(), filter) != known.end(),
                         "compressed by the filter {} ({}); only gzip, shuffle and fletcher32 are read",
                         static_cast<int>(filter), std::string(name.data()));
  }
}

struct Link {
  std::string name;
  H5L_type_t type;
};

herr_t append_link(hid_t, const char* name, const H5L_info_t* info, void* to) {
  try {
    auto& links = *static_cast<std::vector<Link>*>(to);
    if (links.size() == most_objects) return -1;
    links.push_back({name, info->type});
    return 0;
  } catch (...) {  // an exception must not pass through libhdf5
    return -1;
  }
}

/// Reads all objects of a file.
class Hdf5Reader {
 public:
  Hdf5Reader(std::size_t file_size, const Hdf5Options& options) : file_size_(file_size), left_(options.size_limit) {}

  void read_root(hid_t root) {
    H5O_info_t info{};
    well(H5Oget_info(root, &info), "the root group");
    known_.insert(info.addr);
    read_group(root, "", 0);
  }

  std::map<std::string, std::map<std::string, std::vector<std::string>>> attributes;
  std::list<std::vector<std::byte>> elements;
  std::vector<RawTensor> tensors;
  std::vector<UnreadArray> unread;

 private:
  void read_group(hid_t group, const std::string& path, int level) {
    require<FormatError>(level < most_levels, "groups are nested more than {} deep", most_levels);
    attributes[path] = attribute_texts(group, file_size_);
    std::vector<Link> links;
    hsize_t at = 0;
    well(H5Literate(group, H5_INDEX_NAME, H5_ITER_INC, &at, append_link, &links), "the links of a group");
    for (const Link& link : links) {
      const std::string own = path.empty() ? link.name : path + "/" + link.name;
      H5O_type_t type = H5O_TYPE_UNKNOWN;
      const Handle object = naming(own, [&] {
        Handle opened = open_object(group, link, type);
        if (type == H5O_TYPE_DATASET) read_dataset(opened, own);
        return opened;
      });
      if (type == H5O_TYPE_GROUP) read_group(object, own, level + 1);
    }
  }

  Handle open_object(hid_t group, const Link& link, H5O_type_t& type) {
    require<FormatError>(link.type == H5L_TYPE_HARD, "a link to another place, which is not followed");
    Handle object(H5Oopen(group, link.name.c_str(), H5P_DEFAULT), H5Oclose, "an object");
    H5O_info_t info{};
    well(H5Oget_info(object, &info), "an object");
    require<FormatError>(known_.insert(info.addr).second, "a second link to the same object");
    require<FormatError>(known_.size() <= most_objects, "the file has more than {} objects", most_objects);
    type = info.type;
    return object;
  }

  void read_dataset(hid_t dataset, const std::string& path) {
    constexpr const char* what = "a dataset";
    const Handle type(H5Dget_type(dataset), H5Tclose, what), space(H5Dget_space(dataset), H5Sclose, what);
    const std::vector<Index> shape = shape_of(space);
    const auto element = element_type(dataset, type);
    if (!element || H5Sget_simple_extent_type(space) == H5S_NULL) {
      unread.push_back({path, type_name(type), shape, "only numbers are read from HDF5"});
      return;
    }
    const Index bytes = cornu::detail::byte_count(shape, element->dtype);
    require_stored(dataset, static_cast<std::uint64_t>(bytes), H5Tget_size(type));
    std::vector<std::byte>& values = elements.emplace_back(static_cast<std::size_t>(bytes));
    if (bytes > 0) well(H5Dread(dataset, element->memory, H5S_ALL, H5S_ALL, H5P_DEFAULT, values.data()), "the values");
    tensors.push_back({path, element->dtype, shape, values});
  }

  static std::vector<Index> shape_of(hid_t space) {
    std::array<hsize_t, H5S_MAX_RANK> dimensions{};
    const int rank = well(H5Sget_simple_extent_dims(space, dimensions.data(), nullptr), "a shape");
    std::vector<Index> shape;
    for (std::size_t i = 0; i < static_cast<std::size_t>(rank); ++i) {
      require<FormatError>(dimensions[i] <= std::uint64_t{1} << 62, "a dimension is {}", std::uint64_t{dimensions[i]});
      shape.push_back(static_cast<Index>(dimensions[i]));
    }
    return shape;
  }

  static std::string type_name(hid_t type) {
    switch (H5Tget_class(type)) {
      case H5T_FLOAT:
        return message("a float of {} bytes", H5Tget_size(type));
      case H5T_STRING:
        return "text";
      case H5T_COMPOUND:
        return "a structure";
      default:
        return "another type of HDF5";
    }
  }

  /// Throws FormatError unless the file stores `bytes` bytes of elements for the dataset, or fewer compressed ones
  /// within the limit. `element` is the size of an element in the file.
  void require_stored(hid_t dataset, std::uint64_t bytes, std::size_t element) {
    constexpr const char* what = "a dataset";
    const Handle properties(H5Dget_create_plist(dataset), H5Pclose, what);
    const H5D_layout_t layout = well(H5Pget_layout(properties), what);
    require<FormatError>(layout != H5D_VIRTUAL, "its values are in other datasets (a virtual dataset)");
    require<FormatError>(well(H5Pget_external_count(properties), what) == 0, "its values are in other files");
    const int filters = well(H5Pget_nfilters(properties), what);
    require_known_filters(properties, filters);
    if (layout == H5D_CHUNKED) {
      std::array<hsize_t, H5S_MAX_RANK> chunk{};
      const int rank = well(H5Pget_chunk(properties, H5S_MAX_RANK, chunk.data()), what);
      std::uint64_t size = element;
      for (std::size_t i = 0; i < static_cast<std::size_t>(rank); ++i) {
        require<FormatError>(chunk[i] > 0 && size <= left_ / chunk[i], "its chunks are larger than {} bytes", left_);
        size *= chunk[i];
      }
    }
    const std::uint64_t stored = H5Dget_storage_size(dataset);
    require<FormatError>(bytes == 0 || stored > 0, "no values are stored for it");
    if (filters > 0) {
      require<FormatError>(bytes <= left_, "the values of the file are larger than the limit");
      left_ -= bytes;
    } else {
      // float16 takes half of its memory here.
      require<FormatError>(stored <= file_size_ && bytes <= 4 * stored,
                           "the file stores fewer values than its shape has");
    }
  }

  std::size_t file_size_;
  std::uint64_t left_;
  std::set<haddr_t> known_;
};

/// Where the file begins: behind a user block, whose size is 0, 512, 1024, 2048, ...
std::size_t begin_of(std::span<const std::byte> bytes) {
  constexpr std::string_view signature = "\x89HDF\r\n\x1a\n";
  for (std::size_t at = 0; at + signature.size() <= bytes.size(); at = at == 0 ? 512 : 2 * at) {
    if (std::memcmp(bytes.data() + at, signature.data(), signature.size()) == 0) return at;
  }
  return 0;
}

/// Throws FormatError if a dataset has its values elsewhere. libhdf5 1.10 reads beyond its memory when it opens such a
/// dataset and the name of the other file has no end, so that they must be found in the bytes. Their messages have the
/// address of the heap with the name: that of a virtual dataset (a layout of version 4 and class 3) after 2 bytes, and
/// that of external files (version 1) after 8.
void require_own_values(hid_t file, std::span<const std::byte> bytes) {
  const Handle properties(H5Fget_create_plist(file), H5Pclose, "the file");
  std::size_t address_size = 0, length_size = 0;
  well(H5Pget_sizes(properties, &address_size, &length_size), "the file");
  const std::size_t begin = begin_of(bytes);
  const auto has = [&](std::uint64_t at, std::string_view text) {
    return at <= bytes.size() - text.size() && std::memcmp(bytes.data() + at, text.data(), text.size()) == 0;
  };
  const auto leads_to = [&](std::size_t at, std::string_view heap) {
    if (at + address_size > bytes.size()) return false;
    std::uint64_t address = 0;
    for (std::size_t i = std::min<std::size_t>(address_size, 8); i-- > 0;) {
      address = address << 8 | std::to_integer<std::uint64_t>(bytes[at + i]);
    }
    return has(address, heap) || has(begin + address, heap);
  };
  for (std::size_t at = 0; at + 1 < bytes.size(); ++at) {
    const bool is_virtual = bytes[at] == std::byte{4} && bytes[at + 1] == std::byte{3} && leads_to(at + 2, "GCOL");
    require<FormatError>(!is_virtual, "a dataset has its values in other datasets (a virtual dataset)");
    const bool is_external = bytes[at] == std::byte{1} && leads_to(at + 8, "HEAP");
    require<FormatError>(!is_external, "a dataset has its values in other files");
  }
}

}  // namespace

Hdf5File::Hdf5File(std::span<const std::byte> bytes, const std::string& name, const Hdf5Options& options) {
  naming(name, [&] {
    const cornu::detail::FileKind kind = cornu::detail::file_kind(bytes);
    require<FormatError>(kind == cornu::detail::FileKind::hdf5, "not an HDF5 file{}",
                         kind == cornu::detail::FileKind::unknown ? "" : ": " + cornu::detail::described(kind));
    const Hdf5Session session;
    const Handle file = open_image(bytes);
    require_own_values(file, bytes);
    Hdf5Reader reader(bytes.size(), options);
    const Handle root(H5Gopen2(file, "/", H5P_DEFAULT), H5Gclose, "the root group");
    reader.read_root(root);
    attributes_ = std::move(reader.attributes);
    elements_ = std::move(reader.elements);
    content_.emplace(name, std::move(reader.tensors), std::move(reader.unread));
  });
}

const std::vector<std::string>* Hdf5File::texts(const std::string& group, const std::string& attribute) const {
  const auto object = attributes_.find(group);
  if (object == attributes_.end()) return nullptr;
  const auto found = object->second.find(attribute);
  return found == object->second.end() ? nullptr : &found->second;
}

}  // namespace cornu::keras::detail
