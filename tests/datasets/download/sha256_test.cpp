#include "cornu/datasets/download/sha256.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>

#include "cornu/tests/support/sha256.h"

namespace cornu {
namespace {

using testing::sha256;

// NIST: "Examples with Intermediate Values", SHA-256, and the long message of FIPS 180-2, appendix B.3.
TEST(Sha256, MatchesTheHashesPublishedByNist) {
  EXPECT_EQ(sha256(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(sha256("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(sha256("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"),
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
  EXPECT_EQ(sha256("abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmn"
                   "hijklmnoijklmnopjklmnopqklmnopqrlmnopqrsmnopqrstnopqrstu"),
            "cf5b16a778af8380036ce59e7b0492370b249b11e8f07a51afac45037afee9d1");
  EXPECT_EQ(sha256(std::string(1'000'000, 'a')), "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

TEST(Sha256, DoesNotDependOnHowTheBytesAreSplit) {
  const std::string text(300, 'x');
  for (std::size_t length = 0; length <= text.size(); ++length) {
    const std::string whole = sha256(text.substr(0, length));
    Sha256 pieces;
    for (std::size_t from = 0, step = 1; from < length; from += step, step = step % 67 + 3) {
      pieces.update(std::as_bytes(std::span(text).subspan(from, std::min(step, length - from))));
    }
    EXPECT_EQ(pieces.hex(), whole) << length;
  }
}

}  // namespace
}  // namespace cornu
