#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "cornu/core/error.h"
#include "cornu/core/ops/comparisons.h"
#include "cornu/onnx/ops/ops.h"

/// Attention and RotaryEmbedding, composed of core's ops.
namespace cornu::onnx::detail {

namespace {

constexpr Real masked = -std::numeric_limits<Real>::infinity();

/// (batch, length, heads size) as (batch, heads, length, size); four axes stay.
Var with_heads(const Call& call, std::size_t input, const char* attribute) {
  const Var x = call[input];
  require<FormatError>(x.rank() == 3 || x.rank() == 4, "input {} has shape {}; three or four axes are required", input,
                       x.shape());
  if (x.rank() == 4) return x;
  const Index heads = call.integer(attribute);
  require<FormatError>(heads > 0 && x.shape()[2] % heads == 0, "{} is {}; it must divide {}", attribute, heads,
                       x.shape()[2]);
  return cornu::transpose(cornu::reshape(x, {x.shape()[0], x.shape()[1], heads, x.shape()[2] / heads}), {0, 2, 1, 3});
}

/// `past` (batch, heads, length, size) and x, one after the other.
Var after_past(const Call& call, std::size_t past, Var x) {
  if (!call.has(past)) return x;
  require<FormatError>(call[past].rank() == 4, "input {} has shape {}; four axes are required", past,
                       call[past].shape());
  return cornu::concatenate({call[past], x}, 2);
}

/// Each head several times, one after the other, so that as many as the queries' heads.
Var for_heads(Var x, Index heads) {
  const Index own = x.shape()[1];
  if (own == heads) return x;
  require<FormatError>(own > 0 && heads % own == 0, "{} heads of queries and {} of keys", heads, own);
  return repeat(x, heads / own, 1);
}

/// The keys that a query may see: from its own position, so many before and after. Less than 0: all. Opset 25.
struct Window {
  Index left = -1, right = -1;

  explicit Window(const Call& call)
      : left(call.integer("left_window_size", -1)), right(call.integer("right_window_size", -1)) {
    if (left < -1 || right < -1) throw FormatError(message("a window from {} to {}; -1 means all", left, right));
    if (call.integer("is_causal", 0) != 0) right = 0;
  }
  bool is_open() const { return left < 0 && right < 0; }
  /// distance: the position of the key less that of the query.
  bool has(Index distance) const { return (left < 0 || -distance <= left) && (right < 0 || distance <= right); }
};

/// 0 where a query may see a key, else -inf, (batch or 1, 1, queries, keys): the window, and the lengths of the keys.
Var visible(const Call& call, const Window& window, const Shape& q, Index keys) {
  const bool has_lengths = call.has(6);
  if (window.is_open() && !has_lengths) return {};
  const Index batch = has_lengths ? q[0] : 1, queries = q[2];
  const std::span<const Index> lengths = has_lengths ? call.integers(6) : std::span<const Index>();
  require<FormatError>(!has_lengths || std::ssize(lengths) == batch, "{} lengths for a batch of {}", lengths.size(),
                       batch);
  for (const Index length : lengths) {
    require<ValueError>(0 <= length && length <= keys, "nonpad_kv_seqlen is {} of {} keys", length, keys);
  }
  const View result = call.tape().scratch({batch, 1, queries, keys});
  for (Index b = 0; b < batch; ++b) {
    const Index length = has_lengths ? lengths[static_cast<std::size_t>(b)] : keys;
    // The keys before the first query.
    const Index before = call.has(4) ? call.shape(4)[2] : has_lengths ? length - queries : 0;
    for (Index i = 0; i < queries; ++i) {
      for (Index j = 0; j < keys; ++j) {
        const bool sees = j < length && window.has(j - i - before);
        result[(b * queries + i) * keys + j] = sees ? Real{0} : masked;
      }
    }
  }
  return call.tape().input(result);
}

/// The attn_mask to add to scores of so many keys. Booleans say what is seen. As of opset 24, the keys that it leaves
/// out are masked; before, a mask of one key is for all.
Var mask_of(Call& call, Index keys) {
  if (!call.has(3)) return {};
  const Value& mask = call.value(3);
  Var bias;
  if (mask.is_real()) {
    bias = plain(mask);
  } else {
    require<FormatError>(mask.kind() == Kind::boolean,
                         "attn_mask holds whole numbers; booleans or floats are required");
    const View added = call.tape().scratch(mask.whole);
    std::transform(mask.numbers().begin(), mask.numbers().end(), added.begin(),
                   [](Index sees) { return sees != 0 ? Real{0} : masked; });
    bias = call.tape().input(added);
  }
  require<FormatError>(bias.rank() >= 1 && bias.rank() <= 4 && bias.shape()[-1] <= keys,
                       "attn_mask has shape {}; (..., queries, keys) with {} keys is required", bias.shape(), keys);
  if (bias.shape()[-1] == keys || (call.opset() < 24 && bias.shape()[-1] == 1)) return bias;
  const std::span<Index> positions = counted(call.tape(), keys);
  std::replace_if(
      positions.begin(), positions.end(), [&](Index key) { return key >= bias.shape()[-1]; }, Index{-1});
  return detail::take(bias, bias.rank() - 1, positions, masked);
}

/// The probabilities of the keys; 0 for a query that sees none, as in ONNX since 2026. Before, these were NaN.
Var safe_softmax(Var scores) {
  const Var sees_none = cornu::equal((cornu::max)(scores, -1, {.keepdims = true}), masked);
  return cornu::where(sees_none, 0, softmax(cornu::where(sees_none, 0, scores)));
}

/// softmax(softcap(q k^T scale) + mask) v, with `softcap` c: c tanh(x / c).
void attention(Call& call) {
  const Var q = with_heads(call, 0, "q_num_heads");
  const Var k = after_past(call, 4, with_heads(call, 1, "kv_num_heads")),
            v = after_past(call, 5, with_heads(call, 2, "kv_num_heads"));
  require<FormatError>(q.shape()[3] == k.shape()[3] && q.shape()[3] > 0 && k.shape()[2] == v.shape()[2] &&
                           q.shape()[0] == k.shape()[0] && k.shape()[0] == v.shape()[0] && k.shape()[1] == v.shape()[1],
                       "queries {}, keys {} and values {} (batch, heads, length, size) do not fit", q.shape(),
                       k.shape(), v.shape());
  call.result(1, k);
  call.result(2, v);
  const Index heads = q.shape()[1], keys = k.shape()[2];
  const double scale = call.real("scale", 1 / std::sqrt(static_cast<double>(q.shape()[3])));
  Var scores = matmul(q * scale, for_heads(k, heads), {.transpose_b = true});
  const Index mode = call.integer("qk_matmul_output_mode", 0);
  require<FormatError>(0 <= mode && mode <= 3, "qk_matmul_output_mode is {}; 0 to 3 are known", mode);
  const auto keep = [&](Index stage) {
    if (mode == stage) call.result(3, scores);
  };
  keep(0);
  if (const double cap = call.real("softcap", 0); cap > 0) scores = cap * tanh(scores / cap);
  keep(1);
  const Window window(call);
  for (const Var bias : {mask_of(call, keys), visible(call, window, q.shape(), keys)}) {
    if (bias) scores = scores + bias;
  }
  keep(2);
  const bool may_see_none = (call.has(3) || call.has(6) || !window.is_open()) && keys > 0;
  scores = may_see_none ? safe_softmax(scores) : softmax(scores);
  keep(3);
  Var y = matmul(scores, for_heads(v, heads));
  if (call.shape(0).rank() == 3) {
    y = cornu::transpose(y, {0, 2, 1, 3});
    y = cornu::reshape(y, {y.shape()[0], y.shape()[1], y.shape()[2] * y.shape()[3]});
  }
  call.result(0, y);
}

/// The rows of a table of cosines or sines at the positions, (batch or 1, length, 1, half).
Var at_positions(Call& call, std::size_t table, Index half) {
  const Var rows = call[table];
  if (!call.has(3)) {
    require<FormatError>(rows.rank() == 3 && rows.shape()[2] == half,
                         "input {} has shape {}; (batch, length, {}) is required without position_ids", table,
                         rows.shape(), half);
    return cornu::reshape(rows, {rows.shape()[0], rows.shape()[1], 1, half});
  }
  require<FormatError>(rows.rank() == 2 && rows.shape()[1] == half && call.shape(3).rank() == 2,
                       "input {} has shape {}; (positions, {}), and positions (batch, length), are required", table,
                       rows.shape(), half);
  const std::span<const Index> positions = call.integers(3);
  for (const Index position : positions) {
    require<ValueError>(0 <= position && position < rows.shape()[0], "position {} in a table of {}", position,
                        rows.shape()[0]);
  }
  const Shape s = call.shape(3);
  return cornu::reshape(detail::take(rows, 0, positions), {s[0], s[1], 1, half});
}

/// Every second element of the last axis, or its first or second half.
Var part(Call& call, Var x, bool interleaved, bool second) {
  const Index half = x.shape()[-1] / 2;
  const std::span<Index> positions = counted(call.tape(), half);
  for (Index& position : positions)
    position = interleaved ? 2 * position + (second ? 1 : 0) : position + (second ? half : 0);
  return detail::take(x, x.rank() - 1, positions);
}

/// Turns pairs of elements by angles, whose cosines and sines are inputs (Su et al., 2021).
void rotary_embedding(Call& call) {
  Var x = call[0];
  const Shape original = x.shape();
  require<FormatError>(x.rank() == 3 || x.rank() == 4, "an input of shape {}; three or four axes are required",
                       original);
  if (x.rank() == 4) {
    x = cornu::transpose(x, {0, 2, 1, 3});
  } else {
    const Index heads = call.integer("num_heads");
    require<FormatError>(heads > 0 && original[2] % heads == 0, "num_heads is {}; it must divide {}", heads,
                         original[2]);
    x = cornu::reshape(x, {original[0], original[1], heads, original[2] / heads});
  }
  const Index size = x.shape()[3], given = call.integer("rotary_embedding_dim", 0), turned = given == 0 ? size : given;
  require<FormatError>(0 < turned && turned <= size && turned % 2 == 0,
                       "rotary_embedding_dim is {} of {}; an even number is required", turned, size);
  const bool interleaved = call.integer("interleaved", 0) != 0;
  const Var own = slice_axis(x, 3, 0, turned), cosines = at_positions(call, 1, turned / 2),
            sines = at_positions(call, 2, turned / 2);
  const Var a = part(call, own, interleaved, false), b = part(call, own, interleaved, true);
  const Var first = cosines * a - sines * b, second = sines * a + cosines * b;
  Var y;
  if (interleaved) {
    Shape pairs = first.shape().inserted(4, 1);
    y = cornu::reshape(cornu::concatenate({cornu::reshape(first, pairs), cornu::reshape(second, pairs)}, 4),
                       own.shape());
  } else {
    y = cornu::concatenate({first, second}, 3);
  }
  if (turned < size) y = cornu::concatenate({y, slice_axis(x, 3, turned, size)}, 3);
  call.result(original.rank() == 4 ? cornu::transpose(y, {0, 2, 1, 3}) : cornu::reshape(y, original));
}

}  // namespace

std::span<const Op> attention_ops() {
  static constexpr Op ops[] = {
      {.name = "Attention",
       .since = 23,
       .inputs = {3, 7},
       .outputs = 4,
       .attributes =
           "is_causal kv_num_heads left_window_size q_num_heads qk_matmul_output_mode right_window_size scale softcap "
           "softmax_precision ",
       .run = attention},
      {.name = "RotaryEmbedding",
       .since = 23,
       .inputs = {3, 4},
       .attributes = "interleaved num_heads rotary_embedding_dim ",
       .run = rotary_embedding},
  };
  return ops;
}

}  // namespace cornu::onnx::detail
