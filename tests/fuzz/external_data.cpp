#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>
#include <vector>

#include "cornu/onnx/reader.h"
#include "cornu/tests/fuzz/fuzz.h"

using namespace cornu;

namespace {

constexpr std::string_view secret = "the bytes of a file that no model may read";

/// A folder that the model's files are in, made once: data, a folder, links that stay inside and that leave it.
const std::string& folder() {
  static const std::string made = [] {
    namespace fs = std::filesystem;
    std::string name = (fs::temp_directory_path() / "cornu_fuzz_XXXXXX").string();
    if (mkdtemp(name.data()) == nullptr) std::abort();
    fs::create_directory(name + "/model");
    fs::create_directory(name + "/model/d");
    std::ofstream(name + "/model/data") << std::string(64, 'x');
    std::ofstream(name + "/model/d/data") << std::string(16, 'y');
    std::ofstream(name + "/secret") << secret;
    fs::create_symlink("data", name + "/model/in");
    fs::create_symlink("../secret", name + "/model/out");
    static const struct Remover {
      std::string path;
      ~Remover() {
        std::error_code ignored;
        fs::remove_all(path, ignored);
      }
    } remover{name};
    return name + "/model";
  }();
  return made;
}

}  // namespace

int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  onnx::detail::ModelMessage model;
  if (!fuzz::reads(fuzz::most_memory(size, Index{17} << 20),
                   [&] { model = onnx::detail::read_model(bytes, "file", folder()); })) {
    return 0;
  }
  for (const onnx::detail::TensorMessage& tensor : model.graph.initializers) {
    const std::vector<Index>& elements = tensor.elements.integers;
    const auto found = std::search(elements.begin(), elements.end(), secret.begin(), secret.begin() + 12);
    fuzz::check(found == elements.end() || bytes.find(secret.substr(0, 12)) != bytes.npos,
                "a model reads no file outside of its folder");
  }
  return 0;
}
