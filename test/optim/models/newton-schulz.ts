// Newton-Schulz in fp64 with the published coefficients; sources: native/core/orthogonalize_tables.hpp.
import { combine, frobenius, type Matrix, multiply, transpose } from '../dense64.js'

type Triple = readonly [a: number, b: number, c: number]

const repeated = (triple: Triple, times: number): Triple[] => new Array<Triple>(times).fill(triple)

const QUINTIC: Triple = [3.4445, -4.775, 2.0315]

/** As published, with the number of steps that their authors run. */
export const COEFFICIENTS: Readonly<Record<string, readonly Triple[]>> = {
  quintic: repeated(QUINTIC, 5),
  jiacheng: [
    [4.0848, -6.8946, 2.927],
    [3.9505, -6.3029, 2.6377],
    [3.7418, -5.5913, 2.3037],
    [2.8769, -3.1427, 1.2046],
    [2.8366, -3.0525, 1.2012],
  ],
  cans: [
    [8.4703, -25.1081, 18.6293],
    [4.1828, -3.1087, 0.5806],
    [3.9619, -2.9541, 0.563],
    [3.2866, -2.4647, 0.5074],
    [2.2737, -1.6447, 0.4162],
  ],
  deepseek: [...repeated(QUINTIC, 8), ...repeated([2, -1.5, 0.5], 2)],
  cubic: [
    [3.3656576, -3.3420992, 0],
    [2.5744352, -1.4957376, 0],
    [2.5368962, -1.431257, 0],
    [2.4418906, -1.276404, 0],
    [2.2230472, -0.963065, 0],
  ],
  modula: repeated([3, -3.2, 1.2], 5),
  aol: [
    [4.0098, -7.0585, 2.4635],
    [3.4585, -5.5479, 2.5959],
    [2.7573, -3.2939, 1.4254],
    [2.7215, -3.0494, 1.3169],
  ],
  'polar-express': [
    [8.287212018146, -23.595886519099, 17.300387312531],
    [4.107059111542, -2.947849916738, 0.544843108293],
    [3.948690853482, -2.908902115963, 0.551819139437],
    [3.318419657371, -2.488488024315, 0.510048940124],
    [2.300652019955, -1.668903984575, 0.418807311953],
    [1.891301407787, -1.267995827195, 0.376804089485],
    [1.875001480833, -1.250001645358, 0.375000164527],
    [1.875, -1.25, 0.375],
  ],
}

/** p(s / 1.01) in place of p(s), but for the last step. */
function withSafety(triples: readonly Triple[]): readonly Triple[] {
  return triples.map(([a, b, c], step) =>
    step === triples.length - 1 ? [a, b, c] : [a / 1.01, b / 1.01 ** 3, c / 1.01 ** 5],
  )
}

/** X <- a X + b (X X^T) X + c (X X^T)^2 X from A / |A|_F; AOL from D^{-1/2} A / 1.15, D the row sums of |A A^T|. */
export function newtonSchulz(a: Matrix, table = 'quintic'): Matrix {
  if (a.rows > a.columns) return transpose(newtonSchulz(transpose(a), table))
  const triples = COEFFICIENTS[table]!
  let x = table === 'aol' ? dividedByRowSums(a) : combine(1 / frobenius(a.data), a, 0, a)
  for (const [p, q, r] of table === 'polar-express' ? withSafety(triples) : triples) {
    const gram = multiply(x, transpose(x))
    x = combine(p, x, 1, multiply(combine(q, gram, r, multiply(gram, gram)), x))
  }
  return x
}

function dividedByRowSums(a: Matrix): Matrix {
  const gram = multiply(a, transpose(a))
  const result = combine(1, a, 0, a)
  for (let i = 0; i < a.rows; i++) {
    let sum = 0
    for (let j = 0; j < a.rows; j++) sum += Math.abs(gram.data[i * a.rows + j]!)
    for (let j = 0; j < a.columns; j++) result.data[i * a.columns + j]! /= 1.15 * Math.sqrt(sum)
  }
  return result
}
