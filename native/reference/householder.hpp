// A = Q R by Householder reflectors. (Golub and Van Loan, Matrix Computations, 5.2.2)
#pragma once

#include "dense.hpp"

namespace kronroot::reference {

struct HouseholderQr {
  Dense q;  // m x m, orthogonal
  Dense r;  // m x n, zeros below the diagonal, which is >= 0
};

HouseholderQr householder_qr(Dense a);

}  // namespace kronroot::reference
