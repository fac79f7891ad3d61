// Writes the data of a workload as raw IDX files to the current folder, for the Python peers, and prints the workload's
// parameters.

#include "cornu/bench/workload.h"
#include "cornu/formats/idx.h"

using namespace cornu;
using namespace cornu::bench;

namespace {

void write(const ImageDataset& data, const std::string& images, const std::string& labels) {
  const auto bytes = [](auto span) { return std::vector<std::uint8_t>(span.begin(), span.end()); };
  write_idx(images, {.dimensions = {data.size(), 28, 28}, .data = bytes(data.pixels())});
  write_idx(labels, {.dimensions = {data.size()}, .data = bytes(data.labels())});
}

Result write_all(const Options& options) {
  const Data data = load(options);
  write(data.train, "train-images", "train-labels");
  write(data.test, "test-images", "test-labels");
  return {.data = data.name};
}

}  // namespace

int main(int argc, char** argv) { return run("write_data", argc, argv, write_all); }
