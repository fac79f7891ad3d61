#include "cornu/formats/npy/npy_header.h"

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <optional>
#include <set>

#include "cornu/core/error.h"
#include "cornu/formats/dtypes.h"

namespace cornu::detail {

namespace {

constexpr std::size_t most_npy_dimensions = 64;  // NumPy's limit since 2.0

/// Describes an unsupported type by NumPy's letter for its kind.
std::string_view described(char letter) {
  switch (letter) {
    case 'O':
      return "Python objects are";
    case 'S':
    case 'a':
    case 'U':
      return "text is";
    case 'c':
      return "complex numbers are";
    case 'M':
    case 'm':
      return "dates and durations are";
    case 'V':
      return "raw bytes are";
    default:
      return "this type is";
  }
}

/// Parses the subset of Python literals that NumPy writes: a dictionary with a string, a bool and a tuple of integers.
/// Everything else is refused.
class HeaderParser {
 public:
  explicit HeaderParser(std::string_view text) : text_(text) {}

  NpyHeader read() {
    expect('{');
    while (!accept('}')) {
      const std::string_view key = quoted();
      require<FormatError>(known_.insert(key).second, "the header has \"{}\" twice", key);
      expect(':');
      if (key == "descr") {
        read_descr();
      } else if (key == "fortran_order") {
        header_.fortran_order = truth();
      } else if (key == "shape") {
        read_shape();
      } else {
        throw FormatError(message("the header has an unknown entry \"{}\"", key.substr(0, most_shown)));
      }
      if (!accept(',')) {
        expect('}');
        break;
      }
    }
    skip_space();
    if (at_ != text_.size()) fail("its end");
    for (const char* key : {"descr", "fortran_order", "shape"}) {
      require<FormatError>(known_.count(key) != 0, "the header lacks \"{}\"", key);
    }
    return std::move(header_);
  }

 private:
  static constexpr std::size_t most_shown = 40;  // of text quoted from a file in an error

  [[noreturn]] void fail(std::string_view wanted) const {
    std::string came = "its end";
    if (at_ < text_.size()) {
      const char c = text_[at_];
      came = c > ' ' && c <= '~' ? std::string{'\'', c, '\''} : message("a byte of {}", static_cast<unsigned char>(c));
    }
    throw FormatError(message("the header has {} at byte {}; {} is required", came, at_, wanted));
  }

  void skip_space() { at_ = std::min(text_.find_first_not_of(" \t\r\n", at_), text_.size()); }
  bool accept(char c) {
    skip_space();
    const bool is_there = at_ < text_.size() && text_[at_] == c;
    at_ += is_there;
    return is_there;
  }
  void expect(char c) {
    if (!accept(c)) fail(std::string{'\'', c, '\''});
  }
  bool accept(std::string_view word) {
    skip_space();
    const bool is_there = text_.substr(at_).starts_with(word);
    if (is_there) at_ += word.size();
    return is_there;
  }

  std::string_view quoted() {
    const bool single = accept('\'');
    if (!single && !accept('"')) fail("a quoted string");
    const std::size_t begin = at_;
    for (; at_ < text_.size() && text_[at_] != (single ? '\'' : '"'); ++at_) {
      if (text_[at_] < ' ' || text_[at_] > '~' || text_[at_] == '\\') fail("a plain character");
    }
    if (at_ == text_.size()) fail("a closing quote");
    return text_.substr(begin, at_++ - begin);
  }

  bool truth() {
    if (accept("True")) return true;
    if (!accept("False")) fail("True or False");
    return false;
  }

  void read_descr() {
    skip_space();
    if (at_ < text_.size() && (text_[at_] == '[' || text_[at_] == '(')) {
      throw UnreadType("structure", "descr is a structure of several fields, which is not supported");
    }
    const std::string_view descr = quoted();
    const char order = descr.empty() ? '\0' : descr.front();
    const std::string_view name = descr.substr(std::min<std::size_t>(descr.size(), 1));
    const auto is_named = [&](const DtypeRow& row) { return !name.empty() && row.numpy == name; };
    const auto found = std::find_if(dtypes.begin(), dtypes.end(), is_named);
    if (found == dtypes.end()) {
      const auto shown = descr.substr(0, most_shown);
      throw UnreadType(std::string(shown),
                       message("descr '{}': {} not supported; b1, i1 to i8, u1 to u8, f2, f4 and f8 are", shown,
                               described(name.empty() ? '\0' : name.front())));
    }
    header_.dtype = found->dtype;
    // A byte order is often given for one-byte types, where it has no meaning.
    require<FormatError>(order == '<' || order == '>' || (order == '|' && size_of(header_.dtype) == 1),
                         "descr '{}': it must begin with the byte order, '<' or '>'", descr);
    header_.big_endian = order == '>' && size_of(header_.dtype) > 1;
  }

  void read_shape() {
    expect('(');
    bool is_tuple = true;
    while (!accept(')')) {
      require<FormatError>(header_.shape.size() < most_npy_dimensions, "the shape has more than {} dimensions",
                           most_npy_dimensions);
      header_.shape.push_back(whole_number());
      is_tuple = accept(',');
      if (!is_tuple) {
        expect(')');
        break;
      }
    }
    if (!is_tuple && header_.shape.size() == 1) {
      throw FormatError(message("the shape is ({0}), which is a number; ({0},) is a tuple", header_.shape[0]));
    }
  }

  Index whole_number() {
    skip_space();
    Index number = 0;
    const char *const begin = text_.data() + at_, *const end = text_.data() + text_.size();
    if (begin == end || *begin < '0' || *begin > '9') fail("a non-negative integer");
    const auto [stop, error] = std::from_chars(begin, end, number);
    require<FormatError>(error == std::errc(), "the shape has a number that is too large, at byte {}", at_);
    if (*begin == '0' && stop != begin + 1) fail("a number without leading zeros");  // as Python has it
    at_ = static_cast<std::size_t>(stop - text_.data());
    at_ += at_ < text_.size() && text_[at_] == 'L';  // Python 2 writes long integers with an L
    return number;
  }

  std::string_view text_;
  std::size_t at_ = 0;
  std::set<std::string_view> known_;
  NpyHeader header_;
};

}  // namespace

NpyHeader read_npy_header(std::string_view text) { return HeaderParser(text).read(); }

std::string npy_header(const RawTensor& array) {
  const std::string_view name = dtype_row(array.dtype).numpy;
  require<ValueError>(!name.empty(), "\"{}\": NumPy has no {}; F32 holds the same values", array.name,
                      to_string(array.dtype));
  require<ValueError>(array.shape.size() <= most_npy_dimensions, "\"{}\": {} dimensions; NumPy has at most {}",
                      array.name, array.shape.size(), most_npy_dimensions);
  check_size(array);
  std::string text = message("{{'descr': '{}{}', 'fortran_order': False, 'shape': {}, }}",
                             size_of(array.dtype) == 1 ? "|" : "<", name, to_string(std::span(array.shape)));
  constexpr std::size_t before = 10, alignment = 64;
  text.resize((before + text.size() + alignment) / alignment * alignment - before, ' ');
  text.back() = '\n';
  std::string header(npy_magic);
  header += {1, 0};  // the version
  header += static_cast<char>(text.size() & 255);
  header += static_cast<char>(text.size() >> 8);
  return header + text;
}

}  // namespace cornu::detail
