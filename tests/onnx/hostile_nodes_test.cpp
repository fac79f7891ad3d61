#include <gtest/gtest.h>

#include <array>
#include <map>
#include <new>
#include <sstream>
#include <string>
#include <vector>

#include "cornu/core/error.h"
#include "cornu/core/memory_limit.h"
#include "cornu/onnx/ops/ops.h"
#include "cornu/tests/onnx/support.h"

/// Every op with any inputs and attributes: a result or an error, but no crash. Also for the sanitizers.
namespace cornu {
namespace {

using testing::Given;
using testing::Kind;
using testing::List;
using testing::Writer;

class RandomNode {
 public:
  RandomNode(const onnx::detail::Op& op, Rng& rng) : op_(op), rng_(rng) {}

  std::string file() {
    const Index extra = std::min<Index>(static_cast<Index>(op_.inputs.most - op_.inputs.least), 3);
    const Index count = static_cast<Index>(op_.inputs.least) + draw(0, extra);
    std::vector<std::string> names, outputs;
    Shape shape = random_shape();
    for (Index i = 0; i < count; ++i) {
      if (draw(0, 2) == 0) shape = random_shape();
      names.push_back(draw(0, 9) == 0 ? "" : input(shape));
    }
    const auto wanted = static_cast<std::size_t>(draw(1, 3));
    for (std::size_t i = 0; i < std::min(wanted, op_.outputs); ++i) outputs.push_back("y" + std::to_string(i));
    std::vector<Given> attributes;
    std::istringstream words{std::string(op_.attributes)};
    for (std::string word; words >> word;) {
      if (draw(0, 2) == 0) continue;
      kept_.push_back(std::make_unique<std::string>(word));
      attributes.push_back({*kept_.back(), value()});
    }
    const Index opset = std::max<Index>(op_.since, draw(6, onnx::detail::last_opset));
    writer_.node_of(op_.name, "", names, outputs, attributes, "node");
    for (const std::string& output : outputs) writer_.output(output, {});
    return writer_.finished("g", opset);
  }

 private:
  Index draw(Index least, Index most) {
    return least + static_cast<Index>(rng_.bits() % static_cast<std::uint64_t>(most - least + 1));
  }

  Shape random_shape() {
    Shape shape;
    const Index rank = draw(0, 4);
    for (Index i = 0; i < rank; ++i) shape = shape.inserted(0, draw(0, 9) == 0 ? 0 : draw(1, 4));
    return shape;
  }

  Index number() {
    static constexpr std::array<Index, 8> far{Index{1} << 31,
                                              -(Index{1} << 31),
                                              Index{1} << 40,
                                              -(Index{1} << 62),
                                              std::numeric_limits<Index>::max(),
                                              std::numeric_limits<Index>::min(),
                                              1000,
                                              -1000};
    return draw(0, 11) == 0 ? far[static_cast<std::size_t>(draw(0, 7))] : draw(-2, 4);
  }

  std::string input(const Shape& shape) {
    const std::string name = "x" + std::to_string(count_++);
    if (draw(0, 1) == 0) return writer_.initializer(name, testing::normal(shape, static_cast<std::uint64_t>(count_)));
    List numbers;
    for (Index i = 0; i < shape.size(); ++i) numbers.push_back(number());
    std::string result = writer_.initializer(name, numbers);
    if (draw(0, 1) == 0 && shape.rank() != 1) {
      const std::vector<Index> dimensions(shape.dimensions().begin(), shape.dimensions().end());
      result = writer_.node("Reshape", {result, writer_.initializer(name + "_shape", dimensions)},
                            {{"allowzero", Index{1}}});
    }
    if (draw(0, 4) == 0) result = writer_.node("Cast", {result}, {{"to", Index{9}}});
    return result;
  }

  decltype(Given::value) value() {
    static constexpr std::array<std::string_view, 20> texts{
        "constant",  "reflect", "edge",    "wrap",          "SAME_UPPER",         "SAME_LOWER",    "VALID",   "NOTSET",
        "linear",    "cubic",   "nearest", "align_corners", "tf_crop_and_resize", "bidirectional", "reverse", "CRD",
        "ij,jk->ik", "...i,i",  "add",     "nonsense"};
    switch (draw(0, 3)) {
      case 0:
        return number();
      case 1:
        return static_cast<double>(number()) / 2;
      case 2:
        return texts[static_cast<std::size_t>(draw(0, 19))];
      default: {
        List list;
        for (Index i = draw(0, 4); i > 0; --i) list.push_back(number());
        return list;
      }
    }
  }

  const onnx::detail::Op& op_;
  Rng& rng_;
  Writer writer_;
  std::vector<std::unique_ptr<std::string>> kept_;
  Index count_ = 0;
};

TEST(OnnxHostileNodes, GiveAResultOrAnError) {
  Rng rng(41);
  int results = 0, errors = 0;
  for (const auto& ops : onnx::detail::all_ops()) {
    for (const onnx::detail::Op& op : ops) {
      for (int round = 0; round < 150; ++round) {
        const std::string file = RandomNode(op, rng).file();
        SCOPED_TRACE(message("{} round {}", op.name, round));
        try {
          const onnx::Model model = onnx::parse(file, "m");
          const detail::MemoryLimit limit(std::size_t{64} << 20, std::size_t{64} << 20);
          model.run_exact({});
          ++results;
        } catch (const Error& error) {
          EXPECT_NE(std::string_view(error.what()).find("m: "), std::string_view::npos);
          ++errors;
        }
      }
    }
  }
  EXPECT_GT(results, 1500);
  EXPECT_GT(errors, 1500);
}

}  // namespace
}  // namespace cornu
