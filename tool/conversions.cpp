#include "cornu/tool/conversions.h"

#include <algorithm>
#include <array>
#include <string_view>

#include "cornu/core/error.h"
#include "cornu/formats/safetensors.h"
#include "cornu/models/sequential_state.h"
#include "cornu/tool/network.h"

namespace cornu::tool {

namespace {

/// Formats that files can be converted to, as bits.
enum Format : unsigned { to_safetensors = 1, to_npz = 2, to_npy = 4, to_onnx = 8, to_header = 16 };

struct Written {
  std::string_view text;
  Format format;
};
constexpr std::array written_formats{Written{".safetensors", to_safetensors}, Written{".npz", to_npz},
                                     Written{".npy", to_npy}, Written{".onnx", to_onnx}, Written{".h", to_header}};

constexpr unsigned any_arrays = to_safetensors | to_npz | to_npy, any_model = to_safetensors | to_onnx | to_header;

/// A format that Cornu reads and does not write.
struct Unwritten {
  std::string_view ending;
  const char *program, *names;
};
constexpr std::array unwritten{Unwritten{".pt", "PyTorch", "pytorch"}, Unwritten{".pth", "PyTorch", "pytorch"},
                               Unwritten{".h5", "Keras", "keras"}, Unwritten{".keras", "Keras", "keras"}};

std::string endings_of(unsigned formats) {
  std::vector<std::string> list;
  for (const Written& ending : written_formats) {
    if ((formats & ending.format) != 0) list.emplace_back(ending.text);
  }
  std::string text = list.front();
  for (std::size_t i = 1; i < list.size(); ++i) text += (i + 1 < list.size() ? ", " : " and ") + list[i];
  return text;
}

/// What a file can become by itself and with a model.
struct Conversions {
  std::string name;           ///< of the file's kind
  unsigned own = 0;           ///< formats
  unsigned weights_only = 0;  ///< formats with --to
  unsigned with_model = 0;    ///< formats
};

Conversions conversions_of(const Source& source) {
  const std::string name = name_of(source.kind);
  switch (source.kind) {
    case FileKind::safetensors:
      if (SafetensorsFile(source.path).metadata().contains(cornu::detail::model_metadata)) {
        return {"a Cornu model", any_arrays | any_model, to_safetensors, any_model};
      }
      return {name, any_arrays, 0, any_model};
    case FileKind::keras:
      return {"a Keras model", any_arrays | any_model, to_safetensors, any_model};
    case FileKind::hdf5:
      return {"a file of Keras weights", any_arrays, 0, any_model};
    case FileKind::pytorch:
    case FileKind::npz:
      return {name, any_arrays, 0, any_model};
    case FileKind::onnx:
    case FileKind::npy:
    case FileKind::idx:
    case FileKind::gzip:
      return {name, any_arrays, 0, 0};
    default:
      return {name};
  }
}

}  // namespace

void Source::require_can_become(const std::string& out, bool with_model, bool weights_only) const {
  unsigned wanted = 0;
  for (const Written& ending : written_formats) {
    if (out.ends_with(ending.text)) wanted = ending.format;
  }
  const Conversions conversions = conversions_of(*this);
  const unsigned possible = with_model     ? conversions.with_model
                            : weights_only ? conversions.weights_only
                                           : conversions.own;
  if ((wanted & possible) != 0) return;
  require<FormatError>(kind != FileKind::gzip, "{}: {}", path, cornu::detail::described(kind));
  std::string text = message("{}: {} cannot be converted{}", path, conversions.name,
                             wanted != 0 && with_model ? " with --model" : message(" to {}", out));
  const auto found = std::find_if(unwritten.begin(), unwritten.end(),
                                  [&](const Unwritten& each) { return out.ends_with(each.ending); });
  if (found != unwritten.end()) {
    text += message("; Cornu does not write {}'s own files", found->program);
    if (conversions.weights_only != 0) {
      text += message(", but .safetensors with its names (--to {}), which Python reads", found->names);
    }
  }
  if (conversions.own == 0) {
    text += "; only models and arrays (safetensors, PyTorch, Keras, ONNX, .npy, .npz and IDX files) can be converted";
  } else {
    text += "; it converts to " + endings_of(conversions.own);
    if (conversions.with_model != 0 && (conversions.own & to_onnx) == 0) {
      text +=
          message(", and as the weights of a Cornu model (--model MODEL) to {}", endings_of(conversions.with_model));
    }
    if (kind == FileKind::onnx) text += ", as its weights";
  }
  throw ValueError(text);
}

}  // namespace cornu::tool
