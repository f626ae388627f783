// Peers that are there answer rightly; peers that are not say how to install them.
import { describe, expect, it } from 'vitest'
import { describeMachine } from '../../bench/machine.js'
import { connect as connectJax } from '../../bench/peers/jax.js'
import { connect as connectMlMatrix } from '../../bench/peers/ml-matrix.js'
import { type BenchNative, connect, loadNative } from '../../bench/peers/openblas.js'
import { open } from '../../lib/index.js'
import { eighRatios, graded, identity, multiply, Random, relativeError } from '../matrices/zoo.js'

/** The bench addon without a library to load. */
const native: BenchNative = {
  open(file) {
    throw new Error(`${file}: cannot open shared object file: No such file or directory`)
  },
  peak: (_isa, bits) => (bits === 32 ? 200e9 : 100e9),
  gemm() {},
  eigh() {},
  inverseRoot() {},
  setAlone() {},
  spdInverse() {},
  qr() {},
  svd() {},
  singularValues() {},
  triangularSolve() {},
  newtonSchulz() {},
}

const quintic = [3.4445, -4.775, 2.0315] as const

describe('openblas', () => {
  it('absent: one line with the package to install, and no peer', () => {
    const lines: string[] = []
    expect(connect(native, 2, (line) => lines.push(line), '/nowhere/libopenblas.so.0')).toBeUndefined()
    expect(lines).toEqual([expect.stringMatching(/nowhere.*apt-get install libopenblas0-pthread$/)])
  })

  it('the bench addon absent: one line, and no peer', () => {
    const lines: string[] = []
    expect(loadNative('/nowhere/kronroot_bench.node')).toBeUndefined()
    expect(connect(undefined, 2, (line) => lines.push(line))).toBeUndefined()
    expect(lines).toEqual([expect.stringContaining('bench addon was not built')])
  })

  it('present: loaded with the number of threads, whatever OPENBLAS_CORETYPE says', () => {
    process.env.OPENBLAS_CORETYPE = 'Prescott'
    const loading: BenchNative = {
      ...native,
      open: (file, threads) => ({
        file,
        core: process.env.OPENBLAS_CORETYPE ?? 'its own choice',
        config: String(threads),
      }),
    }
    const peer = connect(loading, 2, () => {}, 'libopenblas.so.0')
    expect(peer?.info).toEqual({ file: 'libopenblas.so.0', core: 'its own choice', config: '2' })
  })

  it('with its oldest kernels on a processor it does not know: no peer, unless kernels are named', () => {
    const lines: string[] = []
    const loading: BenchNative = {
      ...native,
      open: (file) => ({ file, core: process.env.OPENBLAS_CORETYPE ?? 'Prescott', config: '' }),
    }
    expect(connect(loading, 2, (line) => lines.push(line), 'libopenblas.so.0')).toBeUndefined()
    expect(lines).toEqual([expect.stringMatching(/does not know this processor.*KRONROOT_OPENBLAS_CORE=SkylakeX/)])
    expect(connect(loading, 2, () => {}, 'libopenblas.so.0', 'SkylakeX')?.info.core).toBe('SkylakeX')
  })
})

describe('the machine block', () => {
  it('holds what the numbers depend on', () => {
    const device = open('cpu', { threads: 1 })
    const machine = describeMachine(device, native, null)
    expect(machine).toMatchObject({ threads: 1, isa: device.isa, peak: { f32: 200e9, f64: 100e9 }, openblas: null })
    expect(machine.cpu).not.toBe('')
    expect(machine.kronroot).toMatch(/^\d+\.\d+\.\d+/)
    expect(describeMachine(device, undefined, null).peak).toBeNull()
    device.dispose()
  })
})

describe('JavaScript peers compute what we compute', () => {
  const n = 12
  const { data } = graded(n, 50, { dtype: 'f32', random: new Random(1) })
  const log = (line: string) => expect.fail(line)

  it('ml-matrix', async () => {
    const peer = (await connectMlMatrix(log))!
    const a = peer.matrix(data, n, n)
    const { values, vectors } = peer.eigh(a)
    const ratios = eighRatios(data, values, vectors.to1DArray(), n, 2 ** -52)
    expect(Math.max(ratios.residual, ratios.orthogonality)).toBeLessThan(10)
    const inverse = peer.symmetricFunction(a, (w) => 1 / w).to1DArray()
    const product = multiply(n, n, n, data, Float64Array.from(inverse))
    expect(relativeError(product, identity(n).data)).toBeLessThan(1e-12)
    const steps = peer.newtonSchulz(a, Array(12).fill([15 / 8, -10 / 8, 3 / 8]))
    expect(relativeError(steps.to1DArray(), peer.polar(a).to1DArray())).toBeLessThan(1e-12)
  })

  it('jax-js', async () => {
    const [peer, own] = [(await connectJax(log))!, (await connectMlMatrix(log))!]
    const a = peer.array(Float32Array.from(data), [1, n, n])
    const { values, vectors } = peer.eigh(a)
    const ratios = eighRatios(data, peer.read(values), peer.read(vectors), n, 2 ** -23)
    expect(Math.max(ratios.residual, ratios.orthogonality)).toBeLessThan(30)
    const exact = own.symmetricFunction(own.matrix(data, n, n), (w) => (w + 0.5) ** -0.25)
    expect(relativeError(peer.read(peer.symmetricPower(a, -0.25, 0.5)), exact.to1DArray())).toBeLessThan(1e-3)
    const polynomial = own.newtonSchulz(own.matrix(data, n, n), Array(5).fill(quintic))
    expect(relativeError(peer.read(peer.newtonSchulz(a, Array(5).fill(quintic))), polynomial.to1DArray())).toBeLessThan(
      1e-4,
    )
    expect(relativeError(peer.read(peer.matmul(a, a)), multiply(n, n, n, data, data))).toBeLessThan(1e-6)
  })
})
