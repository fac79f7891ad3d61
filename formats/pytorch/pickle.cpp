#include "cornu/formats/pytorch/pickle.h"

#include <algorithm>
#include <utility>

#include "cornu/core/error.h"
#include "cornu/core/memory_limit.h"
#include "cornu/core/text/printable.h"
#include "cornu/formats/pytorch/pickle_machine.h"

namespace cornu::detail {

namespace {

using Kind = PickleValue::Kind;
using Role = PickleGlobal::Role;

// NOLINTBEGIN(readability-identifier-naming)
/// The operations, by their names in Lib/pickletools.py.
enum Op : unsigned char {
  MARK = '(',
  STOP = '.',
  POP = '0',
  POP_MARK = '1',
  DUP = '2',
  BINFLOAT = 'G',
  BININT = 'J',
  BININT1 = 'K',
  BININT2 = 'M',
  NONE = 'N',
  BINPERSID = 'Q',
  REDUCE = 'R',
  BINSTRING = 'T',
  SHORT_BINSTRING = 'U',
  BINUNICODE = 'X',
  EMPTY_LIST = ']',
  APPEND = 'a',
  BUILD = 'b',
  GLOBAL = 'c',
  DICT = 'd',
  APPENDS = 'e',
  BINGET = 'h',
  LONG_BINGET = 'j',
  LIST = 'l',
  BINPUT = 'q',
  LONG_BINPUT = 'r',
  SETITEM = 's',
  TUPLE = 't',
  EMPTY_TUPLE = ')',
  SETITEMS = 'u',
  EMPTY_DICT = '}',
  BINBYTES = 'B',
  SHORT_BINBYTES = 'C',
  PROTO = 0x80,
  TUPLE1 = 0x85,
  TUPLE2 = 0x86,
  TUPLE3 = 0x87,
  NEWTRUE = 0x88,
  NEWFALSE = 0x89,
  LONG1 = 0x8a,
  LONG4 = 0x8b,
  SHORT_BINUNICODE = 0x8c,
  BINUNICODE8 = 0x8d,
  BINBYTES8 = 0x8e,
  STACK_GLOBAL = 0x93,
  MEMOIZE = 0x94,
  FRAME = 0x95,
};
// NOLINTEND(readability-identifier-naming)

class Interpreter : PickleMachine {
 public:
  explicit Interpreter(std::span<const std::byte> bytes) : PickleMachine(bytes) {}

  Pickle run() && {
    std::size_t at = 0;
    try {
      begin();
      do {
        at = at_;
      } while (step(static_cast<unsigned char>(take(1)[0])));
      require<FormatError>(at_ == bytes_.size(), "{} bytes follow its end", bytes_.size() - at_);
      require<FormatError>(stack_.size() == 1 && marks_.empty(), "it ends with {} values instead of one",
                           stack_.size());
    } catch (FormatError& error) {
      error.add_context(message("byte {}", at));
      throw;
    }
    pickle_.root = stack_[0];
    return std::move(pickle_);
  }

 private:
  // ---- Names, storages and tensors ----

  void name(std::string_view module, std::string_view function) {
    const PickleGlobal* const known = pickle_global(module, function);
    if (known == nullptr) {
      const auto shown = [](std::string_view text) { return printable(text.substr(0, 100)); };
      throw FormatError(message(
          "it needs Python's {}.{}, and Cornu runs no code from files; in Python, torch.save(model.state_dict(), "
          "FILE) writes the weights alone",
          shown(module), shown(function)));
    }
    make({.kind = Kind::global, .global = known});
  }

  bool is(PickleId id, Kind kind) const { return pickle_[id].kind == kind; }
  bool is_global(PickleId id, std::initializer_list<Role> roles) const {
    return is(id, Kind::global) && std::find(roles.begin(), roles.end(), pickle_[id].global->role) != roles.end();
  }
  bool is_size(PickleId id) const { return is(id, Kind::integer) && pickle_[id].number >= 0; }
  bool are_sizes(PickleId id) const {
    constexpr std::size_t most = 64;  // PyTorch's limit
    const std::vector<PickleId>& items = pickle_[id].items;
    return is(id, Kind::tuple) && items.size() <= most &&
           std::all_of(items.begin(), items.end(), [&](PickleId item) { return is_size(item); });
  }

  void persistent() {
    const PickleId id = pop();
    const std::vector<PickleId>& parts = at(id).items;
    require<FormatError>(is(id, Kind::tuple) && parts.size() >= 5 && at(parts[0]).text == "storage" &&
                             is_global(parts[1], {Role::storage, Role::untyped_storage}) && is(parts[2], Kind::text) &&
                             is_size(parts[4]),
                         "a reference that is not (\"storage\", type, key, location, length)");
    std::vector<PickleId> copy = parts;
    MemoryLimit::charge(MemoryLimit::tensors, copy.size() * sizeof(PickleId));
    make({.kind = Kind::storage, .items = std::move(copy)});
  }

  /// What a function of a known name would return for these arguments.
  void reduce() {
    const PickleId arguments = pop(), function = pop();
    require<FormatError>(is(function, Kind::global) && is(arguments, Kind::tuple), "{} is called with {}",
                         name_of(at(function).kind), name_of(at(arguments).kind));
    const PickleGlobal* const global = at(function).global;
    const std::vector<PickleId>& given = at(arguments).items;
    const auto require_these = [&](bool are, const char* wanted) {
      require<FormatError>(are, "{}.{} with other arguments than ({})", global->module, global->name, wanted);
    };
    switch (global->role) {
      case Role::ordered_dict:
        require_these(given.empty(), "");
        return make({.kind = Kind::dict});
      case Role::size:
        require_these(given.size() == 1 && is(given[0], Kind::tuple), "a tuple");
        return push(given[0]);
      case Role::device:
        return make({.kind = Kind::other});
      case Role::parameter:
        require_these(!given.empty() && is(given[0], Kind::tensor), "a tensor, ...");
        return push(given[0]);
      case Role::tensor:
      case Role::typed_tensor: {
        const bool typed = global->role == Role::typed_tensor;
        require_these(given.size() >= (typed ? 7 : 4) && is(given[0], Kind::storage) && is_size(given[1]) &&
                          are_sizes(given[2]) && are_sizes(given[3]) &&
                          at(given[2]).items.size() == at(given[3]).items.size() &&
                          (!typed || is_global(given[6], {Role::dtype})),
                      typed ? "a storage, offset, sizes, strides, ..., dtype" : "a storage, offset, sizes, strides");
        std::vector<PickleId> copy = given;
        MemoryLimit::charge(MemoryLimit::tensors, copy.size() * sizeof(PickleId));
        return make({.kind = Kind::tensor, .items = std::move(copy), .global = global});
      }
      case Role::storage:
      case Role::untyped_storage:
      case Role::dtype:
        break;
    }
    throw FormatError(message("{}.{} is not a function", global->module, global->name));
  }

  void build() {
    const PickleId state = pop();
    static_cast<void>(state);  // an OrderedDict's attributes, such as _metadata
    container(Kind::dict);
  }

  /// A signed number of `size` bytes, little-endian. Larger ones than 64 bits are kept as some object.
  void long_integer(std::uint64_t size) {
    if (size > 8) {
      take(size);
      return make({.kind = Kind::other});
    }
    const auto bits = static_cast<unsigned>(8 * size);
    std::uint64_t value = number(size);
    if (size > 0 && size < 8 && (value >> (bits - 1) & 1) != 0) value |= ~std::uint64_t{0} << bits;
    make_integer(static_cast<std::int64_t>(value));
  }

  void text(std::uint64_t size) { make({.kind = Kind::text, .text = take(size)}); }
  void bytes(std::uint64_t size) { make({.kind = Kind::bytes, .text = take(size)}); }

  // ---- Operations ----

  void begin() {
    require<FormatError>(!bytes_.empty() && static_cast<unsigned char>(take(1)[0]) == PROTO,
                         "it does not begin with a protocol");
    const std::uint64_t protocol = number(1);
    require<FormatError>(protocol >= 2 && protocol <= 5, "pickle protocol {}; 2 to 5 are supported", protocol);
  }

  /// Returns false for STOP.
  bool step(unsigned char op);
};

bool Interpreter::step(unsigned char op) {
  switch (op) {
    case STOP:
      return false;
    case FRAME:
      number(8);  // a hint for buffering
      return true;
    // Stack and memo.
    case MARK:
      return add_charged(marks_, stack_.size()), true;
    case POP:
      return pop(), true;
    case POP_MARK:
      return take_marked(), true;
    case DUP:
      return push(top()), true;
    case BINPUT:
      return put(number(1)), true;
    case LONG_BINPUT:
      return put(number(4)), true;
    case MEMOIZE:
      return put(memo_.size()), true;
    case BINGET:
      return get(number(1)), true;
    case LONG_BINGET:
      return get(number(4)), true;
    // Simple values.
    case NONE:
      return make_shared(none_, {}), true;
    case NEWTRUE:
      return make_shared(true_, {.kind = Kind::boolean, .number = 1}), true;
    case NEWFALSE:
      return make_shared(false_, {.kind = Kind::boolean}), true;
    case BININT:
      return long_integer(4), true;
    case BININT1:
      return make_integer(static_cast<std::int64_t>(number(1))), true;
    case BININT2:
      return make_integer(static_cast<std::int64_t>(number(2))), true;
    case LONG1:
      return long_integer(number(1)), true;
    case LONG4:
      return long_integer(number(4)), true;
    case BINFLOAT:
      return take(8), make({.kind = Kind::real}), true;
    case SHORT_BINSTRING:
    case SHORT_BINUNICODE:
      return text(number(1)), true;
    case BINSTRING:
    case BINUNICODE:
      return text(number(4)), true;
    case BINUNICODE8:
      return text(number(8)), true;
    case SHORT_BINBYTES:
      return bytes(number(1)), true;
    case BINBYTES:
      return bytes(number(4)), true;
    case BINBYTES8:
      return bytes(number(8)), true;
    // Containers.
    case EMPTY_TUPLE:
      return make_shared(empty_tuple_, {.kind = Kind::tuple}), true;
    case TUPLE1:
    case TUPLE2:
    case TUPLE3:
      return make({.kind = Kind::tuple, .items = take_last(1U + op - TUPLE1)}), true;
    case TUPLE:
      return make({.kind = Kind::tuple, .items = take_marked()}), true;
    case EMPTY_LIST:
      return make({.kind = Kind::list}), true;
    case LIST:
      return make({.kind = Kind::list, .items = take_marked()}), true;
    case APPEND:
      return extend(Kind::list, take_last(1)), true;
    case APPENDS:
      return extend(Kind::list, take_marked()), true;
    case EMPTY_DICT:
      return make({.kind = Kind::dict}), true;
    case DICT: {
      std::vector<PickleId> items = take_marked();
      return make({.kind = Kind::dict}), extend(Kind::dict, items), true;
    }
    case SETITEM:
      return extend(Kind::dict, take_last(2)), true;
    case SETITEMS:
      return extend(Kind::dict, take_marked()), true;
    // Names.
    case GLOBAL: {
      const std::string_view module = line();
      return name(module, line()), true;
    }
    case STACK_GLOBAL: {
      const PickleId function = pop(), module = pop();
      require<FormatError>(is(module, Kind::text) && is(function, Kind::text), "a name that is not text");
      return name(at(module).text, at(function).text), true;
    }
    case BINPERSID:
      return persistent(), true;
    case REDUCE:
      return reduce(), true;
    case BUILD:
      return build(), true;
    default:
      throw FormatError(message("operation 0x{:02x}, which no state_dict needs", op));
  }
}

}  // namespace

Pickle read_pickle(std::span<const std::byte> bytes) { return Interpreter(bytes).run(); }

}  // namespace cornu::detail
