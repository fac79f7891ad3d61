#include "cornu/datasets/digits/strokes.h"

#include <array>
#include <cassert>
#include <charconv>
#include <span>
#include <string_view>

namespace cornu::datasets::detail {

namespace {

/// A skeleton in text form: "x,y" for each point, followed by ! for a corner, and / between strokes.
struct Drawing {
  double share;
  std::string_view strokes;
};

constexpr Drawing zeros[] = {
    // Round, from the top and back to it.
    {4, "56,2 30,8 15,36 17,70 38,97 66,94 84,66 82,32 68,8 48,2"},
    // Narrow.
    {1.5, "54,2 38,12 29,42 32,76 46,98 62,92 71,62 70,28 60,6 50,2"},
    // Lying wide.
    {1.5, "60,14 34,14 6,36 4,66 30,86 66,86 95,64 96,34 70,14 46,14"},
    // Leaning far to the right.
    {1.5, "80,2 52,12 24,44 12,82 22,98 48,88 76,56 88,18 78,2 60,10"},
    // A curl at the top, inside.
    {1, "44,6 24,24 14,58 30,94 60,96 84,66 80,26 60,4 40,14 46,30 66,28"},
    // Begun in the middle.
    {0.7, "52,46 62,20 54,2 28,16 12,56 30,95 64,93 87,56 74,14 52,6"},
    // Open to a cup.
    {0.7, "34,0 16,30 18,72 44,98 74,86 86,50 78,18 66,6"},
    // The end runs down inside.
    {0.7, "60,2 34,10 15,40 20,78 48,98 76,82 84,46 72,12 54,6 44,26 40,52"},
    // The end overshoots the beginning, as a hook.
    {1, "66,16 50,3 28,14 16,46 24,84 48,98 72,84 82,50 72,18 48,8 34,14"},
    // Not quite closed at the top.
    {1, "46,4 26,22 18,56 32,92 56,98 78,76 82,40 72,12 60,2"},
};

constexpr Drawing ones[] = {
    // A stem.
    {10, "50,0 50,50 50,100"},
    // With a serif.
    {1.2, "32,22 42,12 53,0! 52,50 50,100"},
    // With serif and base.
    {0.8, "30,20 53,0! 52,50 51,99 / 26,99 50,99 78,98"},
};

constexpr Drawing twos[] = {
    // A sharp turn into a straight base.
    {4, "14,28 28,7 54,1 77,14 76,38 56,64 32,84 10,97! 50,97 94,95"},
    // A loop at the lower left.
    {4, "14,22 34,4 60,3 75,22 67,50 44,78 22,96 7,90 14,76 34,80 62,95 94,92"},
    // A round turn and a sagging base.
    {2, "16,16 42,3 70,8 76,28 56,56 28,80 14,93! 42,86 68,92 92,100"},
    // Nearly a z.
    {1, "14,12 44,4 72,6 78,18 58,50 34,76 14,96! 50,98 90,96"},
    // A large loop, the tail falling.
    {2, "24,18 42,2 64,8 67,30 55,55 34,82 12,94 3,82 20,70 50,78 92,98"},
    // A wide loop, the tail rising.
    {2, "20,16 44,2 70,8 73,32 54,64 30,90 10,96 2,84 16,70 42,74 64,88 98,76"},
    // A loop of half the height.
    {2.5, "22,18 42,2 66,6 72,26 62,54 44,82 22,97 5,90 6,72 28,61 56,70 96,92"},
    // The same, the tail level.
    {1.5, "26,14 50,1 72,12 66,44 48,78 24,98 4,92 8,70 36,62 64,74 96,74"},
    // Narrow, a small loop and a short tail.
    {1.5, "30,16 50,2 69,12 65,38 46,70 28,92 14,86 24,71 46,79 60,94 78,97"},
    // A round bow over most of the height, a tail that falls off.
    {2, "12,28 30,4 60,1 81,20 75,52 50,82 22,96 7,88 22,76 50,84 74,100"},
    // A big bow on a short base.
    {1.5, "12,30 26,6 54,0 76,16 74,42 56,70 34,94! 52,92 74,95"},
    // A wide, flat loop below a steep back.
    {1, "22,20 40,2 60,8 66,30 58,62 44,88 22,98 6,88 24,76 56,82 98,84"},
};

constexpr Drawing threes[] = {
    // Two bows that meet in a corner.
    {4, "16,14 40,1 68,6 73,24 60,40 38,47! 66,52 81,70 72,91 46,100 14,90"},
    // A small loop between the bows.
    {2, "16,12 42,0 68,10 68,32 48,48 34,52 40,44 62,50 78,68 70,92 40,100 10,90"},
    // A flat top.
    {1.5, "18,4 46,4 76,4! 60,22 42,40! 68,46 82,66 72,90 44,100 14,92"},
    // The lower bow runs out to the left.
    {1.5, "20,10 44,0 68,4 68,20 42,42! 64,48 68,64 44,86 8,100"},
    // A zigzag above a straight end.
    {1, "12,10 40,4 72,2! 50,24 32,42! 58,46 70,58 62,80 36,100"},
    // A small upper bow.
    {1, "24,8 44,0 62,8 58,26 36,36! 66,44 84,66 72,92 40,100 10,88"},
    // A small lower bow, ending early.
    {1, "14,10 46,0 74,10 68,32 38,48! 62,52 76,68 68,90 44,98"},
    // A soft waist.
    {2, "18,10 46,0 70,12 66,34 48,47 66,56 79,74 66,94 38,100 12,92"},
};

constexpr Drawing fours[] = {
    // Open, a straight stem crossing the bar.
    {4, "24,4 20,30 14,54! 46,55 88,50 / 72,2 69,50 66,100"},
    // Open, the bar ends at the stem.
    {3, "26,6 18,28 20,50 44,56 70,46 / 76,2 71,46 64,100"},
    // A wide cup before a long stem.
    {1.5, "14,14 6,44! 44,56 92,50 / 80,0 76,50 74,100"},
    // The stem bends away below the bar.
    {1, "30,8 16,46! 44,48 72,38 / 76,6 64,50 44,100"},
    // In one stroke, like a y.
    {2, "22,4 15,28 22,50 44,54 66,42 80,6! 72,50 62,100"},
    // Closed to a triangle.
    {2, "64,0 36,34 8,66! 50,66 94,64 / 64,0 63,50 62,100"},
    // Nearly closed at the top, a stem that begins low.
    {1.5, "58,4 32,28 14,54! 48,56 88,52 / 74,22 68,60 60,100"},
};

constexpr Drawing fives[] = {
    // The bar first.
    {3, "80,2 52,3 28,5! 24,22 20,43! 46,37 71,46 80,66 69,88 42,99 12,92"},
    // The bar last, lifted off or touching.
    {3, "32,8 27,26 22,46! 46,39 68,48 76,68 64,90 36,99 8,90 / 32,8 58,6 90,0"},
    // A wide bow.
    {1.5, "74,3 50,4 28,7! 24,26 20,46! 52,38 84,54 86,78 58,98 10,90"},
    // A flying bar over a small bow.
    {1.5, "98,0 70,7 42,12! 36,30 28,50! 48,48 60,62 54,84 32,98 4,94"},
    // A short back and a bow that swings out far.
    {2, "78,2 54,3 36,8! 29,24 19,39! 46,34 74,46 77,72 52,93 8,98"},
    // Like an s.
    {3, "86,3 58,4 34,12 28,30 44,44 64,56 70,76 54,95 26,99 6,90"},
    // A high, narrow back and a small bow.
    {2, "88,2 62,6 40,10! 34,30 30,52! 50,52 64,64 62,84 42,97 12,96"},
};

constexpr Drawing sixes[] = {
    // A bent back and a round belly.
    {3, "68,2 42,16 24,44 18,74 32,96 56,98 76,84 74,64 54,56 34,64 22,80"},
    // A straight back.
    {3, "56,0 38,30 22,62 22,88 42,99 64,90 70,72 56,60 36,68 24,84"},
    // A belly of half the height.
    {2, "62,2 36,14 20,42 16,76 34,97 62,96 80,74 70,50 46,46 24,62 18,74"},
    // A wide belly before a short back.
    {2, "30,0 18,32 13,64 24,92 54,99 84,88 90,70 70,56 42,66 24,84"},
    // A short back left of a large belly, which ends inside.
    {2, "26,0 9,38 8,76 34,98 72,92 92,66 78,45 54,52 43,72 50,90"},
    // Narrow, a small belly.
    {1, "54,0 40,40 35,80 46,99 63,88 61,68 46,70 38,86"},
    // A small, flat belly, the end curling inside.
    {2, "60,0 34,26 20,60 26,90 52,99 78,90 80,76 60,70 38,78 34,88"},
};

constexpr Drawing sevens[] = {
    // A bar and a leaning stem.
    {3, "12,8 46,6 84,4! 66,36 50,68 40,100"},
    // A serif on the left.
    {2, "10,22 14,6! 48,7 82,4! 68,36 56,68 50,100"},
    // A crossbar.
    {2, "12,8 46,6 82,4! 66,36 50,68 40,100 / 28,54 52,51 80,48"},
    // A serif and a crossbar.
    {1, "12,26 16,8! 50,7 86,4! 64,46 46,100 / 22,58 50,54 84,52"},
    // A waving bar and a steep stem.
    {2, "10,16 30,6 58,10 82,6! 68,34 58,66 54,100"},
    // Square, with a serif and an upright stem.
    {1.5, "10,34 13,7! 46,6 78,5! 76,50 68,100"},
    // Narrow, a short bar.
    {1.5, "26,24 33,7! 54,10 77,2! 66,48 48,100"},
    // Without a corner.
    {2, "12,16 36,4 64,4 78,16 70,42 58,70 50,100"},
};

constexpr Drawing eights[] = {
    // From the upper right, as an S and back.
    {4, "76,14 54,1 28,10 27,30 48,46 68,62 74,82 56,98 34,95 24,78 36,60 56,44 73,26 70,8"},
    // A circle on a circle.
    {2, "50,2 30,10 28,30 46,45 64,38 72,20 62,4 48,2 / 46,46 26,60 22,82 40,98 62,95 74,76 64,54 48,46"},
    // Narrow.
    {3, "66,10 50,1 36,14 38,32 50,48 62,66 62,88 48,99 34,88 36,68 50,50 64,32 68,10"},
    // Wide, the upper loop not closed and leaning right.
    {2, "86,20 74,4 46,2 30,16 42,38 62,58 64,84 40,98 16,88 22,68 50,50 80,30"},
    // A large upper loop, a small lower one.
    {1.5, "72,12 48,1 24,14 30,40 52,62 62,82 50,98 36,88 44,64 66,40 76,20 66,6"},
    // The strokes cross steeply.
    {1.5, "64,6 42,2 32,18 44,40 60,66 66,90 48,99 30,90 38,66 56,40 70,16 62,4"},
    // The way back ends at the waist, or nearly so.
    {1.5, "82,8 54,2 28,14 34,36 58,56 66,80 48,98 28,86 34,66 56,50 66,44"},
    // Round and wide.
    {1.5, "62,4 32,4 14,22 40,44 76,58 90,80 56,99 16,92 14,70 46,48 82,30 74,8 50,2"},
    // Pointed loops that cross low.
    {1.5, "72,8 50,2 26,12 34,38 56,60 68,82 54,98 36,90 42,64 62,36 84,4"},
    // A small upper loop.
    {1.5, "64,6 44,2 36,16 48,34 70,54 78,78 58,98 30,96 20,76 34,54 56,34 66,16 56,3"},
    // Narrow at the top, begun with a flying stroke.
    {1.5, "88,2 62,4 38,12 38,32 56,52 66,76 52,97 30,92 28,72 48,50 62,30 66,12"},
    // Open at the upper right.
    {2, "78,10 52,2 28,12 30,30 52,48 68,66 66,88 44,99 26,86 32,66 54,46 80,18"},
};

constexpr Drawing nines[] = {
    // A loop and a straight stem.
    {4, "74,18 54,3 30,12 20,34 34,50 58,42 75,14! 72,50 66,100"},
    // A bent tail.
    {2, "74,16 54,2 30,10 20,32 34,48 58,42 76,18! 74,52 62,86 40,99 18,92"},
    // A leaning stem.
    {3, "70,10 46,4 24,18 20,38 38,48 62,38 74,18! 60,56 42,100"},
    // A wide, flat loop next to the stem.
    {2, "76,8 44,4 16,20 14,42 42,50 68,30 78,4! 76,52 74,100"},
    // The loop stays open next to a leaning stem.
    {1.5, "70,4 46,6 24,22 20,42 40,48 62,38 76,24! 62,60 48,100"},
    // A large loop, the stem running out to the right.
    {1.5, "70,8 38,4 13,30 18,58 44,62 66,42 74,6! 76,54 84,100"},
    // A narrow loop, the tail bent back to a hook.
    {1, "66,12 50,2 34,14 31,36 46,46 62,34 68,12! 69,60 60,90 42,99 26,90"},
    // A small loop on a long stem.
    {2, "66,14 46,4 30,14 30,32 46,38 64,26 68,10! 64,54 58,100"},
    // The stem goes on from the bow's right side.
    {2, "54,46 30,46 22,28 38,6 62,2 74,18 70,50 56,78 44,100 / 48,47 62,40 73,26"},
};

/// Removes a whole number from the front of `text`.
int take_number(std::string_view& text) {
  int number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  assert(error == std::errc{});
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  return number;
}

Skeleton read(const Drawing& drawing) {
  Skeleton skeleton{drawing.share, {{}}};
  for (std::string_view rest = drawing.strokes; !rest.empty();) {
    if (rest.front() == ' ') {
      rest.remove_prefix(1);
    } else if (rest.front() == '/') {
      rest.remove_prefix(1);
      skeleton.strokes.emplace_back();
    } else {
      const int x = take_number(rest);
      assert(rest.front() == ',');
      rest.remove_prefix(1);
      const int y = take_number(rest);
      const bool corner = rest.starts_with('!');
      if (corner) rest.remove_prefix(1);
      skeleton.strokes.back().push_back({static_cast<double>(x), static_cast<double>(y), corner});
    }
  }
  return skeleton;
}

std::array<std::vector<Skeleton>, 10> read_all() {
  const std::span<const Drawing> drawings[] = {zeros, ones, twos, threes, fours, fives, sixes, sevens, eights, nines};
  std::array<std::vector<Skeleton>, 10> result;
  for (std::size_t digit = 0; digit < result.size(); ++digit) {
    for (const Drawing& drawing : drawings[digit]) result[digit].push_back(read(drawing));
  }
  return result;
}

}  // namespace

const std::vector<Skeleton>& skeletons(int digit) {
  static const std::array<std::vector<Skeleton>, 10> table = read_all();
  return table[static_cast<std::size_t>(digit)];
}

}  // namespace cornu::datasets::detail
