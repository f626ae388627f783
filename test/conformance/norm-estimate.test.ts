// norm_estimate: bounds and failures of native/include/kronroot/ops.h.
//
//   SPECTRAL "at most 2.5 % above" sigma_max and never below it, SPECTRAL_LOWER never above, "exact for rank one";
//   FROBENIUS, ONE, INFINITY "2 ulp in f32, (m + n) ulp in f64; MAX exact; rounding moves the other two by up to
//   8 (m + n) ulp".
import { describe, expect, it } from 'vitest'
import { type Device, type NormKind, normEstimate, open, svd } from '../../lib/index.js'
import { type DType, precision, Random, typed } from '../matrices/zoo.js'
import { affordable, devicesByRank } from './devices.js'
import { expectSameBits, item } from './oracle.js'
import { fewShapes, manyShapes, oneNorm, type Rectangle, rectangles, stackedRectangles } from './rectangles.js'
