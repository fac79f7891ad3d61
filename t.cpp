#include <algorithm>
#include <bit>
#include <cstdint>
#include "vec.h"
using Index = long;
template <class F>
INL inline void assign(float* to, Index n, bool acc, F f) {
  if (acc)
    for (Index i = 0; i < n; ++i) to[i] += f(i);
  else
    for (Index i = 0; i < n; ++i) to[i] = f(i);
}
inline float fexp(float x) {
  const float magic = 12582912.f;
  float c = x < -104.f ? -104.f : x > 89.f ? 89.f : x;
  float t = c * 1.44269504088896341f + magic;
  float n = t - magic;
  float r = c - n * 0.693359375f;
  r = r - n * -2.12194440e-4f;
  float p = 1.9875691500E-4f;
  p = p * r + 1.3981999507E-3f;
  p = p * r + 8.3334519073E-3f;
  p = p * r + 4.1665795894E-2f;
  p = p * r + 1.6666665459E-1f;
  p = p * r + 5.0000001201E-1f;
  p = p * r * r + r + 1.f;
  std::int32_t k = static_cast<std::int32_t>(n);
  std::int32_t h = k >> 1;
  float s1 = std::bit_cast<float>((h + 127) << 23), s2 = std::bit_cast<float>((k - h + 127) << 23);
  float y = p * s1 * s2;
  return x != x ? x : y;
}
struct Exp {
  static float value(float x) { return fexp(x); }
};
template <class Op>
void pw(const float* x, float* y, Index n, bool acc) {
  cornu::detail::vectorized([=] { assign(y, n, acc, [x](Index i) { return Op::value(x[i]); }); });
}
template void pw<Exp>(const float*, float*, Index, bool);
void sgd(float* w, const float* g, Index n, float lr) {
  cornu::detail::vectorized([=] {
    for (Index i = 0; i < n; ++i) w[i] -= lr * g[i];
  });
}
void scale(const unsigned char* p, Index n, float* o) {
  cornu::detail::vectorized([=] {
    for (Index i = 0; i < n; ++i) o[i] = (float)p[i] / 255;
  });
}
