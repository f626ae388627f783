#include "orthogonalize_tables.hpp"

namespace kronroot {
namespace {

// Keller Jordan, Muon (2024), https://kellerjordan.github.io/posts/muon: the slope at 0 is as large as a limit cycle
// inside [0.68, 1.13] allows, so singular values end in that band and not at 1.
constexpr Quintic quintic[] = {{3.4445, -4.7750, 2.0315}};

// You Jiacheng, modded-nanogpt (2025): five different quintics, tuned together.
constexpr Quintic jiacheng[] = {
    {4.0848, -6.8946, 2.9270}, {3.9505, -6.3029, 2.6377}, {3.7418, -5.5913, 2.3037},
    {2.8769, -3.1427, 1.2046}, {2.8366, -3.0525, 1.2012},
};

// Grishina, Smirnov, Rakhuba, "Accelerating Newton-Schulz iteration ... via Chebyshev-type polynomials" (2025),
// arXiv 2506.10935; the five-step table.
constexpr Quintic cans[] = {
    {8.4703, -25.1081, 18.6293}, {4.1828, -3.1087, .5806}, {3.9619, -2.9541, .5630},
    {3.2866, -2.4647, .5074},    {2.2737, -1.6447, .4162},
};

// Turbo-Muon (Boissin et al. 2025), arXiv 2512.04632: after almost-orthogonal (AOL) scaling of the rows
// (Prach and Lampert 2022, arXiv 2208.03160) the first step of a five-step table is no longer needed. Only
// meaningful with that scaling and aol_safety: the first polynomial maps 1 to -0.59.
constexpr Quintic aol[] = {
    {4.0098, -7.0585, 2.4635},
    {3.4585, -5.5479, 2.5959},
    {2.7573, -3.2939, 1.4254},
    {2.7215, -3.0494, 1.3169},
};

// DeepSeek-V4 technical report (2026): eight steps of Muon's quintic, then two of (2, -3/2, 1/2), whose fixed point 1
// has slope 0, so that the band closes.
constexpr Quintic deepseek[] = {
    {3.4445, -4.7750, 2.0315}, {3.4445, -4.7750, 2.0315}, {3.4445, -4.7750, 2.0315}, {3.4445, -4.7750, 2.0315},
    {3.4445, -4.7750, 2.0315}, {3.4445, -4.7750, 2.0315}, {3.4445, -4.7750, 2.0315}, {3.4445, -4.7750, 2.0315},
    {2.0, -1.5, 0.5},          {2.0, -1.5, 0.5},
};

// Composite cubics, as in NVIDIA Emerging-Optimizers: one product a step less than quintics.
constexpr Quintic cubic[] = {
    {3.3656576, -3.3420992, 0}, {2.5744352, -1.4957376, 0}, {2.5368962, -1.4312570, 0},
    {2.4418906, -1.2764040, 0}, {2.2230472, -.9630650, 0},
};

// Bernstein, modula: p(1) = 1.
constexpr Quintic modula[] = {{3.0, -16.0 / 5, 6.0 / 5}};

template <int N>
constexpr NamedTable table_of(const char* name, const Quintic (&steps)[N], int published_steps = N) {
  return {name, steps, N, published_steps};
}

constexpr NamedTable quintic_table = table_of("quintic", quintic, 5);
constexpr NamedTable jiacheng_table = table_of("jiacheng", jiacheng);
constexpr NamedTable cans_table = table_of("cans", cans);
constexpr NamedTable aol_table = table_of("aol", aol);
constexpr NamedTable deepseek_table = table_of("deepseek", deepseek);
constexpr NamedTable cubic_table = table_of("cubic", cubic);
constexpr NamedTable modula_table = table_of("modula", modula, 5);

}  // namespace

const NamedTable* named_table(int table) {
  switch (table) {
    case KR_TABLE_QUINTIC:
      return &quintic_table;
    case KR_TABLE_JIACHENG:
      return &jiacheng_table;
    case KR_TABLE_CANS:
      return &cans_table;
    case KR_TABLE_AOL:
      return &aol_table;
    case KR_TABLE_DEEPSEEK:
      return &deepseek_table;
    case KR_TABLE_CUBIC:
      return &cubic_table;
    case KR_TABLE_MODULA:
      return &modula_table;
    default:
      return nullptr;
  }
}

}  // namespace kronroot
