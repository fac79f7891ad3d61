#include "cornu/formats/pytorch/pickle.h"

#include <gtest/gtest.h>

#include <list>

#include "cornu/core/memory_limit.h"
#include "cornu/formats/pytorch/pytorch_file.h"
#include "cornu/tests/support/bytes.h"
#include "cornu/tests/support/damaged.h"
#include "cornu/tests/support/expect_error.h"
#include "cornu/tests/support/paths.h"
#include "cornu/tests/support/pickles.h"

namespace cornu::testing::pickles {
namespace {

using detail::Pickle;
using detail::PickleValue;
using detail::read_pickle;
using Kind = PickleValue::Kind;

/// Reads a value, and keeps the bytes that its texts refer to.
Pickle of_value(const std::string& value) {
  static std::list<std::string> kept;
  return read_pickle(bytes_of(kept.emplace_back(pickle(value))));
}

TEST(Pickles, ValuesAreRead) {
  struct Row {
    std::string value;
    Kind kind;
    std::int64_t number = 0;
    std::string text{};
  };
  using namespace std::string_literals;
  for (const Row& row : std::vector<Row>{
           {"N", Kind::none},
           {"\x88", Kind::boolean, 1},
           {"\x89", Kind::boolean, 0},
           {"K\xff", Kind::integer, 255},
           {"M\x01\x02", Kind::integer, 0x201},
           {"J\xfe\xff\xff\xff", Kind::integer, -2},
           {"J\xff\xff\xff\x7f", Kind::integer, 0x7fffffff},
           {"\x8a\0"s, Kind::integer, 0},
           {"\x8a\1\xff", Kind::integer, -1},
           {"\x8a\2\xff\0"s, Kind::integer, 255},
           {"\x8a\x08\xff\xff\xff\xff\xff\xff\xff\x7f", Kind::integer, std::numeric_limits<std::int64_t>::max()},
           {"\x8a\x08\0\0\0\0\0\0\0\x80"s, Kind::integer, std::numeric_limits<std::int64_t>::min()},
           {"\x8b\2\0\0\0\0\1"s, Kind::integer, 256},
           {"\x8a\x09" + std::string(9, '\1'), Kind::other},
           {"G" + std::string(8, '\0'), Kind::real},
           {"U\2ab", Kind::text, 0, "ab"},
           {"T\2\0\0\0ab"s, Kind::text, 0, "ab"},
           {"X\2\0\0\0ab"s, Kind::text, 0, "ab"},
           {"\x8c\2ab", Kind::text, 0, "ab"},
           {"\x8d\2\0\0\0\0\0\0\0ab"s, Kind::text, 0, "ab"},
           {"C\2ab", Kind::bytes, 0, "ab"},
           {"B\2\0\0\0ab"s, Kind::bytes, 0, "ab"},
           {"\x8e\2\0\0\0\0\0\0\0ab"s, Kind::bytes, 0, "ab"},
           {global("torch", "float32"), Kind::global},
           {"\x8c\5torch\x8c\7float32\x93", Kind::global},
           {called(global("torch", "device"), {text("cpu")}), Kind::other},
           {"K\1"
            "0N",
            Kind::none},
           {"N(NN1", Kind::none},
           {"\x95\1\0\0\0\0\0\0\0N"s, Kind::none},
       }) {
    SCOPED_TRACE(row.value);
    const Pickle pickle = of_value(row.value);
    EXPECT_EQ(pickle[pickle.root].kind, row.kind);
    EXPECT_EQ(pickle[pickle.root].number, row.number);
    EXPECT_EQ(pickle[pickle.root].text, row.text);
  }
}

TEST(Pickles, ContainersAreRead) {
  struct Row {
    std::string value;
    Kind kind;
    std::vector<std::int64_t> numbers;
  };
  using namespace std::string_literals;
  for (const Row& row : std::vector<Row>{
           {")", Kind::tuple, {}},
           {"K\1\x85", Kind::tuple, {1}},
           {"K\1K\2\x86", Kind::tuple, {1, 2}},
           {"K\1K\2K\3\x87", Kind::tuple, {1, 2, 3}},
           {"(K\1K\2K\3K\4t", Kind::tuple, {1, 2, 3, 4}},
           {"(K\1K\2l", Kind::list, {1, 2}},
           {"]", Kind::list, {}},
           {"]K\1a(K\2K\3e", Kind::list, {1, 2, 3}},
           {"}", Kind::dict, {}},
           {"}K\1K\2s(K\3K\4K\5K\6u", Kind::dict, {1, 2, 3, 4, 5, 6}},
           {"(K\1K\2d", Kind::dict, {1, 2}},
           {"(K\1q\0K\2\x94h\0h\1t"s, Kind::tuple, {1, 2, 1, 2}},
           {"(K\1r\2\0\0\0K\2q\1j\2\0\0\0h\1t"s, Kind::tuple, {1, 2, 1, 2}},
           {"K\1"
            "2\x86",
            Kind::tuple,
            {1, 1}},
           {ordered_dict() + "}" + text("_metadata") + ordered_dict() + "sb", Kind::dict, {}},
           {called(global("torch", "Size"), {integers({2, 3})}), Kind::tuple, {2, 3}},
       }) {
    SCOPED_TRACE(row.value);
    const Pickle pickle = of_value("K\x9" + row.value + "\x86");
    const PickleValue& value = pickle[pickle[pickle.root].items.back()];
    EXPECT_EQ(value.kind, row.kind);
    std::vector<std::int64_t> numbers;
    for (const detail::PickleId item : value.items) numbers.push_back(pickle[item].number);
    EXPECT_EQ(numbers, row.numbers);
  }
}

TEST(Pickles, NoNameIsCalledAndOthersAreRefused) {
  const auto expect_refusal = [](const std::string& value, const std::string& text) {
    expect_error<FormatError>([&] { of_value(value); }, text);
  };
  const auto advice = [](const char* name) {
    return message(
        "it needs Python's {}, and Cornu runs no code from files; in Python, torch.save(model.state_dict(), "
        "FILE) writes the weights alone",
        name);
  };
  expect_refusal(called(global("os", "system"), {text("true")}), "byte 2: " + advice("os.system"));
  expect_refusal(called(global("__builtin__", "eval"), {text("1")}), "byte 2: " + advice("__builtin__.eval"));
  expect_refusal("\x8c\5posix\x8c\6system\x93", "byte 17: " + advice("posix.system"));
  expect_refusal(global("torch._utils", "_rebuild_qtensor"), "byte 2: " + advice("torch._utils._rebuild_qtensor"));
  expect_refusal(global("a\x1b[0m", std::string(300, 'b')),
                 "byte 2: " + advice(("a\\u001b[0m." + std::string(100, 'b')).c_str()));
  expect_refusal("K\1)R", "byte 5: an int is called with a tuple");
  expect_refusal(global("torch", "Size") + "K\1R", "byte 16: a type or function is called with an int");
  expect_refusal(global("torch", "float32") + ")R", "byte 18: torch.float32 is not a function");
  expect_refusal(global("torch", "FloatStorage") + ")R", "byte 23: torch.FloatStorage is not a function");
  expect_refusal("}" + ordered_dict() + "N\x85\x81", "byte 33: operation 0x81, which no state_dict needs");
}

TEST(Pickles, ReferencesAndTensorsHaveTheRightParts) {
  const std::string good = storage("FloatStorage", "0", 4);
  EXPECT_EQ(of_value(good)[of_value(good).root].kind, Kind::storage);
  const std::string type = global("torch", "FloatStorage");
  for (const std::vector<std::string>& parts : std::vector<std::vector<std::string>>{
           {},
           {text("module"), type, text("0"), text("cpu"), integer(4)},
           {text("storage"), text("x"), text("0"), text("cpu"), integer(4)},
           {text("storage"), global("torch", "float32"), text("0"), text("cpu"), integer(4)},
           {text("storage"), type, integer(0), text("cpu"), integer(4)},
           {text("storage"), type, text("0"), text("cpu"), integer(-4)},
           {text("storage"), type, text("0"), text("cpu"), text("4")}}) {
    EXPECT_TRUE(error_of<FormatError>([&] {
                  of_value(tuple(parts) + "Q");
                }).ends_with("a reference that is not (\"storage\", type, key, location, length)"));
  }
  const auto rebuilt = [&](const std::vector<std::string>& arguments) {
    return called(global("torch._utils", "_rebuild_tensor_v2"), arguments);
  };
  EXPECT_NO_THROW(of_value(rebuilt({good, integer(0), integers({4}), integers({1})})));
  for (const std::vector<std::string>& arguments : std::vector<std::vector<std::string>>{
           {},
           {good, integer(0), integers({4})},
           {text("x"), integer(0), integers({4}), integers({1})},
           {good, integer(-1), integers({4}), integers({1})},
           {good, integer(0), integers({-4}), integers({1})},
           {good, integer(0), integers({4}), integers({-1})},
           {good, integer(0), integers({4, 1}), integers({1})},
           {good, integer(0), integer(4), integers({1})},
           {good, integer(0), integers(std::vector<Index>(65, 1)), integers(std::vector<Index>(65, 1))}}) {
    EXPECT_TRUE(
        error_of<FormatError>([&] {
          of_value(rebuilt(arguments));
        }).ends_with("torch._utils._rebuild_tensor_v2 with other arguments than (a storage, offset, sizes, strides)"));
  }
  const auto typed = [&](const std::string& dtype) {
    return called(global("torch._utils", "_rebuild_tensor_v3"),
                  {good, integer(0), integers({4}), integers({1}), "\x89", ordered_dict(), dtype});
  };
  EXPECT_NO_THROW(of_value(typed(global("torch", "uint16"))));
  for (const std::string& dtype : {global("torch", "FloatStorage"), text("uint16")}) {
    EXPECT_TRUE(error_of<FormatError>([&] {
                  of_value(typed(dtype));
                }).ends_with("(a storage, offset, sizes, strides, ..., dtype)"));
  }
  expect_error<FormatError>([&] { of_value(called(global("torch._utils", "_rebuild_parameter"), {good})); },
                            "byte 96: torch._utils._rebuild_parameter with other arguments than (a tensor, ...)");
}

TEST(Pickles, DamagedOnesAreRefused) {
  using namespace std::string_literals;
  for (const auto& [bytes, text] : std::vector<std::pair<std::string, std::string>>{
           {"", "byte 0: it does not begin with a protocol"},
           {"}.", "byte 0: it does not begin with a protocol"},
           {"\x80\1N.", "byte 0: pickle protocol 1; 2 to 5 are supported"},
           {"\x80\6N.", "byte 0: pickle protocol 6; 2 to 5 are supported"},
           {"\x80\2", "byte 2: 1 more bytes are needed, but 0 are left"},
           {"\x80\2N", "byte 3: 1 more bytes are needed, but 0 are left"},
           {"\x80\2.", "byte 2: it ends with 0 values instead of one"},
           {"\x80\2NN.", "byte 4: it ends with 2 values instead of one"},
           {"\x80\2N(.", "byte 4: it ends with 1 values instead of one"},
           {"\x80\2N..", "byte 3: 1 bytes follow its end"},
           {"\x80\2\x86.", "byte 2: a value is missing"},
           {"\x80\2N(\x85.", "byte 4: a value is missing"},
           {"\x80\2N(0.", "byte 4: a value is missing"},
           {"\x80\2t.", "byte 2: a mark is missing"},
           {"\x80\2N(Na.", "byte 5: a value is missing"},
           {"\x80\2NNa.", "byte 4: None where a list is required"},
           {"\x80\2]NNs.", "byte 5: a list where a dict is required"},
           {"\x80\2}(Nu.", "byte 5: a key has no value"},
           {"\x80\2NNb.", "byte 4: None where a dict is required"},
           {"\x80\2h\0."s, "byte 2: memo 0 was not set"},
           {"\x80\2Nr\xff\xff\xff\xff.", "byte 3: memo 4294967295 in a pickle of 9 bytes"},
           {"\x80\2X\xff\xff\xff\xff.", "byte 2: 4294967295 more bytes are needed, but 1 are left"},
           {"\x80\2\x8d\xff\xff\xff\xff\xff\xff\xff\xff.",
            "byte 2: 18446744073709551615 more bytes are needed, but 1 are left"},
           {"\x80\2ctorch", "byte 2: a name has no end"},
           {"\x80\2NN\x93.", "byte 4: a name that is not text"},
           {"\x80\2I1\n.", "byte 2: operation 0x49, which no state_dict needs"}}) {
    expect_error<FormatError>([&, &all = bytes] { read_pickle(bytes_of(all)); }, text);
  }
}

// ---- Hostile pickles ----

TEST(HostilePickles, DeepNestingAndCyclesAreRead) {
  constexpr int deep = 1'000'000;
  std::string nested(deep, ']');
  nested.append(deep - 1, 'a');
  EXPECT_EQ(of_value(nested).values.size(), static_cast<std::size_t>(deep));
  std::string tuples = ")";
  tuples.append(deep, '\x85');
  EXPECT_NO_THROW(of_value(tuples));
  EXPECT_NO_THROW(of_value("]q" + std::string(1, '\0') + "h" + std::string(1, '\0') + "a"));
  const std::string self = "}q" + std::string(1, '\0') + text("self") + "h" + std::string(1, '\0') + "s";
  const std::string file = pickle(self);
  expect_error<FormatError>([&] { detail::pickled_tensors(bytes_of(file), [](auto) { return Bytes(); }); },
                            "data.pkl: it has no dict of tensors; in Python, torch.save(model.state_dict(), FILE) "
                            "writes one");
}

/// Each byte asks for as much memory as it can.
TEST(HostilePickles, TakeNoMoreMemoryThanTheirLimit) {
  constexpr std::size_t size = 1 << 20, most = 4 << 20;
  const auto repeated = [](const std::string& first, const std::string& unit) {
    std::string value = first;
    while (value.size() < size) value += unit;
    return pickle(value);
  };
  const std::string zero(1, '\0');
  std::string doubling = "]q" + zero;  // a list of the list before, twice, and so on
  for (int i = 1; i < 200; ++i)
    doubling += "]q" + std::string(1, static_cast<char>(i)) + "(h" + static_cast<char>(i - 1) + "h" +
                static_cast<char>(i - 1) + "e";
  const std::string tensors = tensor(storage("FloatStorage", "0", 1),
                                     {.sizes = std::vector<Index>(64, 1), .strides = std::vector<Index>(64, 1)});
  std::string names;  // one tensor of many axes under many names
  for (int i = 0; i < 20'000; ++i)
    names += "X\4" + std::string(3, '\0') + std::to_string(10'000 + i).substr(0, 4) + "h" + zero;
  for (const std::string& hostile :
       {repeated("", "]"), repeated("", "N"), repeated("", "("), repeated("N", "2"), repeated("N", "\x94"),
        repeated("N", "\x85"), repeated("]q" + zero, "(h" + zero + "e"), repeated("]q" + zero, "h" + zero + "a"),
        repeated("", "}"), repeated("(", "NN"), pickle(doubling), repeated(tensors + "q" + zero, "(h" + zero + "t"),
        pickle("}" + tensors + "q" + zero + "0(" + names + "u")}) {
    const PeakMemory memory;
    {
      const detail::MemoryLimit limit(most, most);
      try {
        detail::pickled_tensors(bytes_of(hostile), [](auto) { return Bytes(4); });
        ADD_FAILURE() << "was read";
      } catch (const FormatError&) {
      }
    }
    EXPECT_LE(memory.bytes(), static_cast<Index>(2 * most)) << hostile.substr(0, 20);
  }
}

/// 100,000 entries of 100,000 entries each: every dict is looked at once.
TEST(HostilePickles, ADictThatIsTheValueOfManyKeysCostsNoTime) {
  const std::string zero(1, '\0');
  std::string inner, outer;
  for (int i = 0; i < 100'000; ++i) {
    inner += "X" + zero + zero + zero + zero + "N";
    outer += "X" + zero + zero + zero + zero + "h" + zero;
  }
  const std::string file = pickle("}(" + inner + "uq" + zero + "0}(" + outer + "u");
  expect_error<FormatError>([&] { detail::pickled_tensors(bytes_of(file), [](auto) { return Bytes(); }); },
                            "data.pkl: it has no dict of tensors; in Python, torch.save(model.state_dict(), FILE) "
                            "writes one");
}

/// As torch.save writes them, 10,000 tensors of 16 bytes take 300 bytes of the file each.
TEST(Pickles, TenThousandSmallTensorsAreRead) {
  using namespace std::string_literals;
  std::string value = global("torch._utils", "_rebuild_tensor_v2") + "q\0000"s + text("storage") + "q\0010"s +
                      global("torch", "FloatStorage") + "q\0020"s + text("cpu") + "q\0030"s +
                      global("collections", "OrderedDict") + "q\0040"s + "}";
  for (int i = 0; i < 10'000; ++i) {
    value += text(message("layers.{}.attention.weight", i)) + "h\0((h\1h\2"s + text(std::to_string(i)) +
             "h\3K\4tQK\0K\2K\2\x86K\2K\1\x86\x89h\4)RtRs"s;
  }
  const std::string file = pickle(value);
  const detail::MemoryLimit limit(detail::reading_memory(10'000 * 300), 0);
  const auto found = detail::pickled_tensors(bytes_of(file), [](auto) {
    detail::MemoryLimit::charge(detail::MemoryLimit::tensors, 16);
    return Bytes(16);
  });
  EXPECT_EQ(found.tensors.size(), 10'000U);
}

TEST(HostilePickles, EveryDamagedPickleIsRefusedOrRead) {
  const std::string four = storage("FloatStorage", "0", 4);
  const std::string whole =
      pickle(ordered_dict() + "(" + text("w") + tensor(four, {.sizes = {2, 2}, .strides = {1, 2}}) + text("b") +
             tensor(four, {.sizes = {2}, .strides = {1}, .offset = 1}) + text("c") +
             typed_tensor(storage(global("torch.storage", "UntypedStorage"), "1", 4), {.sizes = {2}, .strides = {1}},
                          "uint16") +
             "u}" + text("_metadata") + ordered_dict() + "sb");
  const Refused refused = read_damaged(whole, [](const std::string& damaged) {
    const detail::MemoryLimit limit(1 << 18, 1 << 18);
    const auto found = detail::pickled_tensors(bytes_of(damaged), [](std::string_view key) {
      require<FormatError>(key == "0" || key == "1", "no such storage");
      return Bytes(key == "0" ? 16 : 4);
    });
    for (const RawTensor& tensor : found.tensors)
      EXPECT_EQ(detail::byte_count(tensor.shape, tensor.dtype), std::ssize(tensor.bytes));
  });
  EXPECT_EQ(refused.cut, std::ssize(whole));
  EXPECT_GT(refused.flipped, 4 * std::ssize(whole));
}

TEST(HostilePickles, EveryDamagedFileIsRefusedOrRead) {
  if (!detail::has_zip()) GTEST_SKIP() << "built without libzip";
  const std::string whole = content(source_path("tests/formats/fixtures/pytorch/tensor.pt"));
  const std::string dict = archive(
      {{"data.pkl",
        pickle(pickles::dict({{"w", tensor(storage("FloatStorage", "0", 4), {.sizes = {4}, .strides = {1}})}}))},
       {"data/0", std::string(16, '\1')},
       {"byteorder", "little"}});
  for (const std::string& file : {whole, dict}) {
    const Refused refused = read_damaged(
        file, [](const std::string& damaged) { detail::PyTorchFile(bytes_of(damaged), "x"); }, Index{20} << 20);
    EXPECT_EQ(refused.cut, std::ssize(file));
    EXPECT_GT(refused.flipped, 0);
  }
}

}  // namespace
}  // namespace cornu::testing::pickles
