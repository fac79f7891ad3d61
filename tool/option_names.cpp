#include "cornu/tool/option_names.h"

#include <array>
#include <string_view>

namespace cornu::tool {

namespace {

struct Name {
  std::string_view library, tool;
};

/// Longer names come before their prefixes.
constexpr std::array option_names{
    Name{".header = false", "--no-header"},
    Name{".unknown = CsvOptions::other", "--unknown other"},
    Name{"; set .missing to allow it", "; set --missing to allow it"},
    Name{"(.delimiter", "(--delimiter"},
    Name{".decimal = ", "--decimal "},
    Name{".thousands = ", "--thousands "},
    Name{".units = ", "--units "},
    Name{"; list it in .missing_values if it means a missing value", ""},
    Name{"; numbers in one unit, given in .units, are required",
         "; numbers in one unit, given in --units, are required"},
    Name{"build the model and call its load_weights", "'cornu convert --model MODEL' loads them into a Cornu model"},
    Name{" for load_weights,", " for 'cornu convert --model MODEL',"},
    Name{"keras::load and keras::load_weights read it if Cornu is built with libhdf5 and libzip; else,",
         "'cornu info' and 'cornu convert' read Keras's models if they are built with libhdf5 and libzip; else,"},
    Name{" for load_weights with .names = Names::keras", " for 'cornu convert --from keras'"},
    Name{"load_weights with .names = Names::", "'cornu convert' with --model and --from "},
    Name{".names = Names::", "--from "},
    Name{"Sequential::load reads a model, load_weights weights, SafetensorsFile any tensors",
         "'cornu predict' takes a model, 'cornu convert --model MODEL' weights"},
    Name{"NpzFile and datasets::npz read it", "'cornu info' lists its arrays"},
    Name{"NpyFile reads it", "'cornu predict' reads samples from it"},
    Name{"read_idx reads it", "'cornu predict' reads samples from it"},
    Name{"read_csv reads it", "'cornu predict' reads samples from it"},
    Name{"onnx::load reads it", "'cornu predict' and 'cornu run' run it"},
    Name{"saves its arrays for NpzFile", "saves its arrays as .npz"},
    Name{"write its struct in C++ and read its weights by keras::load_weights",
         "a program that uses Cornu is required: it declares the model and reads its weights"},
    Name{"; onnx::register_op says how", ""},
    Name{"; map layers to modules: .rename = ", "; rename them in Python, or map layers in a program with Cornu: "},
    Name{"onnx::save: ", ""},
    Name{", but .size_limit leaves ", ", but the limit leaves "},
    Name{" (to allow more, set .pass_memory)", ""},
    Name{", not a Sequential", ", not a model"},
    Name{", for onnx::load", ""},
    Name{" for onnx::load", ""},
    Name{", for read_csv", ""},
    Name{"; run_exact returns it", "; 'cornu run' prints it"},
};

/// Rewrites the list after --units: {"$", "kg"} becomes '$,kg'.
void write_units(std::string& text) {
  constexpr std::string_view begin = "--units {";
  for (std::size_t at = 0; (at = text.find(begin, at)) != std::string::npos;) {
    const std::size_t open = at + begin.size() - 1, close = text.find('}', open);
    if (close == std::string::npos) return;
    std::string units = text.substr(open + 1, close - open - 1);
    std::erase(units, '"');
    for (std::size_t gap = 0; (gap = units.find(", ", gap)) != std::string::npos;) units.erase(gap + 1, 1);
    text.replace(open, close + 1 - open, "'" + units + "'");
    at = open;
  }
}

}  // namespace

std::string with_option_names(std::string text) {
  for (const auto& [library, tool] : option_names) {
    for (std::size_t at = 0; (at = text.find(library, at)) != std::string::npos; at += tool.size()) {
      text.replace(at, library.size(), tool);
    }
  }
  write_units(text);
  return text;
}

}  // namespace cornu::tool
