#include "cornu/datasets/character_vocabulary.h"

#include <cmath>
#include <set>

#include "cornu/core/error.h"
#include "cornu/core/text/utf8.h"

namespace cornu {

namespace {

/// Calls each(character, position) for each character of a text in UTF-8.
template <class Each>
void each_character(std::string_view text, Each each) {
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t length = detail::utf8_length(text.substr(at));
    require<ValueError>(length > 0,
                        "CharacterVocabulary: the text is not UTF-8 at byte {}; for other encodings use "
                        "CharacterVocabulary::bytes()",
                        at);
    each(text.substr(at, length), at);
    at += length;
  }
}

}  // namespace

CharacterVocabulary::CharacterVocabulary(std::string_view text) {
  std::set<std::string_view> different;  // UTF-8 sorts like code points
  each_character(text, [&](std::string_view character, std::size_t) { different.insert(character); });
  for (const std::string_view character : different) {
    ids_.emplace(character, size());
    characters_.emplace_back(character);
  }
}

CharacterVocabulary CharacterVocabulary::bytes() {
  CharacterVocabulary result;
  result.are_bytes_ = true;
  for (int byte = 0; byte < 256; ++byte) result.characters_.emplace_back(1, static_cast<char>(byte));
  return result;
}

Tensor CharacterVocabulary::encode(std::string_view text) const {
  std::vector<Real> ids;
  ids.reserve(text.size());
  if (are_bytes_) {
    for (const char byte : text) ids.push_back(static_cast<Real>(static_cast<unsigned char>(byte)));
  } else {
    each_character(text, [&](std::string_view character, std::size_t at) {
      const auto found = ids_.find(character);
      if (found == ids_.end()) {
        throw ValueError(
            message("CharacterVocabulary: \"{}\" at byte {} is not among the {} characters of the vocabulary",
                    character, at, size()));
      }
      ids.push_back(static_cast<Real>(found->second));
    });
  }
  return {{std::ssize(ids)}, ids};
}

std::string CharacterVocabulary::decode(ConstView ids) const {
  std::string text;
  for (Index i = 0; i < ids.size(); ++i) {
    const Real id = ids[i];
    require<ValueError>(id >= 0 && id < static_cast<Real>(size()) && id == std::floor(id),
                        "CharacterVocabulary: element {} is {}; ids are whole numbers from 0 to {}", i, id, size() - 1);
    text += characters_[static_cast<std::size_t>(id)];
  }
  return text;
}

}  // namespace cornu
