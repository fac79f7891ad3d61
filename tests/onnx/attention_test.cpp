#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <map>
#include <vector>

#include "cornu/core/error.h"
#include "cornu/core/gradcheck.h"
#include "cornu/tests/onnx/support.h"
#include "cornu/tests/support/expect_error.h"

/// Attention and RotaryEmbedding compared with plain loops over the formulas of ONNX's Operators.md.
namespace cornu {
namespace {

using testing::expect_close;
using testing::Given;
using testing::Kind;
using testing::List;
using testing::normal;
using testing::Writer;

double at(const Tensor& t, std::initializer_list<Index> position) { return static_cast<double>(t.at(position)); }

/// (batch, heads, length, size) as (batch, length, heads size), if `flat`.
Tensor in_form(const Tensor& t, bool flat) {
  if (!flat) return t;
  const Shape s = t.shape();
  Tensor result({s[0], s[2], s[1] * s[3]});
  for (Index b = 0; b < s[0]; ++b) {
    for (Index h = 0; h < s[1]; ++h) {
      for (Index i = 0; i < s[2]; ++i) {
        for (Index j = 0; j < s[3]; ++j) result.at({b, i, h * s[3] + j}) = t.at({b, h, i, j});
      }
    }
  }
  return result;
}

struct AttentionCase {
  Index batch, heads, kv_heads, queries, keys, past, size, value_size;
  bool flat, causal, has_lengths;
  int mask;  // 0: none, 1: floats (queries, keys), 2: booleans (batch, 1, queries, keys), 3: floats for fewer keys
  double softcap, scale;
  Index mode, left = -1, right = -1;  // the windows
};

TEST(OnnxAttention, MatchesTheFormula) {
  Rng rng(51);
  const auto draw = [&](Index least, Index most) {
    return least + static_cast<Index>(rng.bits() % static_cast<std::uint64_t>(most - least + 1));
  };
  int empty_rows = 0;  // queries that see nothing: their results are 0
  for (int round = 0; round < 300; ++round) {
    AttentionCase c{.batch = draw(1, 2),
                    .heads = 0,
                    .kv_heads = draw(1, 2),
                    .queries = draw(1, 3),
                    .keys = draw(1, 4),
                    .past = draw(0, 1) * draw(1, 2),
                    .size = draw(1, 3),
                    .value_size = draw(1, 3),
                    .flat = draw(0, 1) == 1,
                    .causal = draw(0, 1) == 1,
                    .has_lengths = false,
                    .mask = static_cast<int>(draw(0, 3)),
                    .softcap = draw(0, 1) == 0 ? 0 : 1.5,
                    .scale = draw(0, 1) == 0 ? 0 : 0.3,
                    .mode = draw(0, 3)};
    c.heads = c.kv_heads * draw(1, 2);
    if (draw(0, 1) == 1) {
      c.left = draw(-1, 2);
      c.right = draw(-1, 2);
    }
    c.has_lengths = c.past == 0 && draw(0, 3) == 0;
    std::uint64_t seed = static_cast<std::uint64_t>(round) * 20;
    const auto numbers = [&](const Shape& shape) { return normal(shape, ++seed); };
    const Tensor q = numbers({c.batch, c.heads, c.queries, c.size}), k = numbers({c.batch, c.kv_heads, c.keys, c.size}),
                 v = numbers({c.batch, c.kv_heads, c.keys, c.value_size}),
                 old_k = numbers({c.batch, c.kv_heads, c.past, c.size}),
                 old_v = numbers({c.batch, c.kv_heads, c.past, c.value_size});
    const Index total = c.past + c.keys, masked_keys = c.mask == 3 ? std::max(Index{1}, total - 1) : total;
    const Tensor bias = numbers({c.queries, masked_keys});
    List sees;
    for (Index i = 0; i < c.batch * c.queries * total; ++i) sees.push_back(draw(0, 3) > 0 ? 1 : 0);
    for (Index i = 0; i < c.batch * c.queries && round % 3 > 0; ++i) sees[static_cast<std::size_t>(i * total)] = 1;
    List lengths;
    for (Index b = 0; b < c.batch; ++b) lengths.push_back(draw(round % 3 > 0 ? std::min(c.queries, total) : 0, total));

    // The node.
    Writer writer;
    std::map<std::string, Tensor> given;
    std::vector<std::string> inputs;
    const auto input = [&](const char* name, const Tensor& t) {
      writer.input(name, t.shape().dimensions());
      given.emplace(name, t);
      inputs.emplace_back(name);
    };
    input("q", in_form(q, c.flat));
    input("k", in_form(k, c.flat));
    input("v", in_form(v, c.flat));
    if (c.mask == 0) inputs.emplace_back();
    if (c.mask == 1 || c.mask == 3) input("mask", bias);
    if (c.mask == 2) {
      const Index shape[] = {c.batch, 1, c.queries, total};
      const std::string whole =
          writer.node("Reshape", {writer.initializer("sees", sees), writer.initializer("s", shape)});
      inputs.push_back(writer.node("Cast", {whole}, {{"to", Index{9}}}));
    }
    if (c.past > 0) {
      input("old_k", old_k);
      input("old_v", old_v);
    } else {
      inputs.resize(6);
    }
    if (c.has_lengths) inputs.push_back(writer.initializer("lengths", lengths));
    std::vector<Given> attributes{{"is_causal", Index{c.causal}}, {"qk_matmul_output_mode", c.mode}};
    if (c.flat) {
      attributes.push_back({"q_num_heads", c.heads});
      attributes.push_back({"kv_num_heads", c.kv_heads});
    }
    if (c.softcap > 0) attributes.push_back({"softcap", c.softcap});
    if (c.scale > 0) attributes.push_back({"scale", c.scale});
    if (c.left >= 0) attributes.push_back({"left_window_size", c.left});
    if (c.right >= 0) attributes.push_back({"right_window_size", c.right});
    const std::vector<std::string> outputs{"y", "present_k", "present_v", "scores"};
    writer.node_of("Attention", "", inputs, outputs, attributes, "node");
    for (const std::string& name : outputs) writer.output(name, {});
    const auto made = onnx::parse(writer.finished("g", 24), "m").run(given);

    // The formula.
    SCOPED_TRACE(round);
    const double scale = c.scale > 0 ? c.scale : 1 / std::sqrt(static_cast<double>(c.size));
    Tensor y({c.batch, c.heads, c.queries, c.value_size}), scores({c.batch, c.heads, c.queries, total});
    for (Index b = 0; b < c.batch; ++b) {
      for (Index h = 0; h < c.heads; ++h) {
        const Index own = h / (c.heads / c.kv_heads);
        for (Index i = 0; i < c.queries; ++i) {
          std::vector<double> stage[4];
          double largest = -std::numeric_limits<double>::infinity(), sum = 0;
          const Index length = c.has_lengths ? lengths[static_cast<std::size_t>(b)] : total;
          const Index before = c.past > 0 ? c.past : c.has_lengths ? length - c.queries : 0;
          for (Index j = 0; j < total; ++j) {
            double dot = 0;
            for (Index d = 0; d < c.size; ++d) {
              dot += at(q, {b, h, i, d}) * (j < c.past ? at(old_k, {b, own, j, d}) : at(k, {b, own, j - c.past, d}));
            }
            stage[0].push_back(dot * scale);
            double score = dot * scale;
            if (c.softcap > 0) score = c.softcap * std::tanh(score / c.softcap);
            stage[1].push_back(score);
            const Index own_position = i + before;
            bool seen = j < length && (!c.causal || j <= own_position);
            if (c.left >= 0) seen = seen && j >= own_position - c.left;
            if (c.right >= 0) seen = seen && j <= own_position + c.right;
            if (c.mask == 1 || c.mask == 3) j < masked_keys ? score += at(bias, {i, j}) : seen = false;
            if (c.mask == 2) seen = seen && sees[static_cast<std::size_t>((b * c.queries + i) * total + j)] != 0;
            if (!seen) score = -std::numeric_limits<double>::infinity();
            stage[2].push_back(score);
            largest = std::max(largest, score);
          }
          const bool sees_none = std::isinf(largest);
          empty_rows += sees_none ? 1 : 0;
          for (const double score : stage[2]) sum += std::exp(score - largest);
          for (const double score : stage[2]) stage[3].push_back(sees_none ? 0 : std::exp(score - largest) / sum);
          for (Index j = 0; j < total; ++j) {
            const auto place = static_cast<std::size_t>(j);
            scores.at({b, h, i, j}) = static_cast<Real>(stage[static_cast<std::size_t>(c.mode)][place]);
            for (Index d = 0; d < c.value_size; ++d) {
              const double value = j < c.past ? at(old_v, {b, own, j, d}) : at(v, {b, own, j - c.past, d});
              y.at({b, h, i, d}) += static_cast<Real>(stage[3][place] * value);
            }
          }
        }
      }
    }
    expect_close(made.at("y"), in_form(y, c.flat));
    ASSERT_EQ(made.at("scores").shape(), scores.shape());
    for (Index i = 0; i < scores.size(); ++i) {
      const auto got = static_cast<double>(made.at("scores")[i]), right = static_cast<double>(scores[i]);
      ASSERT_TRUE(got == right || std::abs(got - right) < 1e-5) << got << ", not " << right;
    }
    EXPECT_EQ(made.at("present_k").shape(), (Shape{c.batch, c.kv_heads, total, c.size}));
    if (c.past > 0) {
      EXPECT_EQ(made.at("present_v").at({0, 0, 0, 0}), old_v.at({0, 0, 0, 0}));
    }
  }
  EXPECT_GT(empty_rows, 20);
}

TEST(OnnxAttention, RefusesLengthsOutsideTheKeys) {
  for (const Index length :
       {Index{-1}, Index{4}, std::numeric_limits<Index>::min(), std::numeric_limits<Index>::max()}) {
    Writer writer;
    std::map<std::string, Tensor> given;
    std::vector<std::string> inputs{"q", "k", "v"};
    for (const std::string& name : inputs) {
      given.emplace(name, normal({1, 1, 3, 2}, given.size() + 1));
      writer.input(name, given.at(name).shape().dimensions());
    }
    inputs.resize(6);
    inputs.push_back(writer.initializer("lengths", List{length}));
    const std::vector<std::string> outputs{"y"};
    const std::vector<Given> attributes{{"is_causal", Index{1}}};
    writer.node_of("Attention", "", inputs, outputs, attributes, "node");
    writer.output("y", {});
    const onnx::Model model = onnx::parse(writer.finished("g", 24), "m");
    EXPECT_EQ(testing::error_of<Error>([&] { model.run(given); }),
              message("m: node 'node' (Attention): nonpad_kv_seqlen is {} of 3 keys", length));
  }
}

TEST(OnnxAttention, HasFiniteGradientsWhereAQuerySeesNothing) {
  Writer writer;
  for (const char* const name : {"q", "k", "v"}) writer.input(name, List{1, 1, 2, 2});
  const std::string sees =
      writer.node("Reshape", {writer.initializer("sees", List{0, 0, 1, 0}), writer.initializer("s", List{2, 2})});
  const std::vector<std::string> inputs{"q", "k", "v", writer.node("Cast", {sees}, {{"to", Index{9}}})}, outputs{"y"};
  writer.node_of("Attention", "", inputs, outputs, {}, "node");
  writer.output("y", {});
  const onnx::Model model = onnx::parse(writer.finished("g", 23), "m");
  const std::vector<Tensor> given{normal({1, 1, 2, 2}, 1), normal({1, 1, 2, 2}, 2), normal({1, 1, 2, 2}, 3)};
  const CheckReport report = check_gradients([&](std::span<const Var> in) { return model.forward(in)[0]; }, given);
  EXPECT_TRUE(report) << to_string(report);
}

TEST(OnnxRotaryEmbedding, TurnsPairsOfElements) {
  Rng rng(52);
  const auto draw = [&](Index least, Index most) {
    return least + static_cast<Index>(rng.bits() % static_cast<std::uint64_t>(most - least + 1));
  };
  for (int round = 0; round < 200; ++round) {
    const Index batch = draw(1, 2), heads = draw(1, 2), length = draw(1, 3), half = draw(1, 2), rest = draw(0, 1) * 2,
                size = 2 * half + rest, rows = 5;
    const bool flat = draw(0, 1) == 1, interleaved = draw(0, 1) == 1, has_positions = draw(0, 1) == 1;
    std::uint64_t seed = static_cast<std::uint64_t>(round) * 9;
    const Tensor x = normal({batch, heads, length, size}, ++seed);
    const Shape table = has_positions ? Shape{rows, half} : Shape{batch, length, half};
    const Tensor cosines = normal(table, ++seed), sines = normal(table, ++seed);
    List positions;
    for (Index i = 0; i < batch * length; ++i) positions.push_back(draw(0, rows - 1));
    Writer writer;
    const Tensor given = in_form(x, flat);
    writer.input("x", given.shape().dimensions());
    std::vector<std::string> inputs{"x", writer.initializer("cos", cosines), writer.initializer("sin", sines)};
    if (has_positions) {
      const Index shape[] = {batch, length};
      inputs.push_back(
          writer.node("Reshape", {writer.initializer("positions", positions), writer.initializer("s", shape)}));
    }
    std::vector<Given> attributes{{"interleaved", Index{interleaved}}};
    if (flat) attributes.push_back({"num_heads", heads});
    if (rest > 0) attributes.push_back({"rotary_embedding_dim", 2 * half});
    const std::vector<std::string> y{"y"};
    writer.node_of("RotaryEmbedding", "", inputs, y, attributes, "node");
    writer.output("y", {});
    const Tensor made = onnx::parse(writer.finished("g", 23), "m").predict(given);

    Tensor expected = x;
    for (Index b = 0; b < batch; ++b) {
      for (Index h = 0; h < heads; ++h) {
        for (Index i = 0; i < length; ++i) {
          const Index row = positions[static_cast<std::size_t>(b * length + i)];
          for (Index j = 0; j < half; ++j) {
            const double cosine = has_positions ? at(cosines, {row, j}) : at(cosines, {b, i, j}),
                         sine = has_positions ? at(sines, {row, j}) : at(sines, {b, i, j});
            const Index first = interleaved ? 2 * j : j, second = interleaved ? 2 * j + 1 : j + half;
            const double u = at(x, {b, h, i, first}), v = at(x, {b, h, i, second});
            expected.at({b, h, i, first}) = static_cast<Real>(cosine * u - sine * v);
            expected.at({b, h, i, second}) = static_cast<Real>(sine * u + cosine * v);
          }
        }
      }
    }
    SCOPED_TRACE(round);
    expect_close(made, in_form(expected, flat));
  }
}

}  // namespace
}  // namespace cornu
