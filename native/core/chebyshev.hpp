// Chebyshev expansion of a power of x over an interval of positive numbers.
#pragma once

#include <vector>

namespace kronroot {

// c_0 .. c_d with f(x) = sum of c_k T_k(s), s = (2 x - left - right) / (right - left), for f(x) = x^exponent on
// [left, right], 0 < left < right. d is the least degree for which what is left out, sum of |c_k| for k > d, is at most
// tolerance times the smallest value of f; empty where d would exceed most_degree. The terms fall like rho^-k with
// rho = (sqrt(condition) + 1) / (sqrt(condition) - 1), condition = right / left.
// Source: Trefethen, Approximation Theory and Approximation Practice, chapters 3 and 8.
std::vector<double> chebyshev_power(double exponent, double left, double right, double tolerance, int most_degree);

}  // namespace kronroot
