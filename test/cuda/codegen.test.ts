// What nvcc makes of the device language; needs no GPU. Skipped aloud where there is no nvcc.
import { describe, expect, test } from 'vitest'
import { hasNvcc, kernelsOf, opcodes } from './cubin.js'

if (!hasNvcc) console.log('no nvcc on the PATH: machine code of the CUDA kernels is not checked')

describe.skipIf(!hasNvcc)('machine code', () => {
  test.each(['80', '90a'])('sm_%s: the functions of the device language are one instruction each', (architecture) => {
    const kernels = kernelsOf('test/cuda/matrix-unit.cu', architecture)
    const count = (kernel: string, opcode: number) =>
      [...kernels].find(([name]) => name.includes(kernel))?.[1].instructions.get(opcode) ?? 0
    expect(count('half_product', opcodes.HMMA)).toBe(1)
    expect(count('half_product', opcodes.LDSM)).toBe(2)
    expect(count('half_product', opcodes.LDGSTS)).toBe(1)
    expect(count('tf32_product', opcodes.HMMA)).toBe(1)
    expect(count('double_product', opcodes.DMMA)).toBe(1)
  })

  // Of the large tiles, a stage of the main loop: three products of parts, 64 x 32 of C a warp.
  test.each([
    ['pair_product', 'multiply_pair_tiles', 'Li128', opcodes.HMMA, 96],
    ['tile_product_f32', 'multiply_tiles', 'Li128', opcodes.HMMA, 96],
    ['tile_product_f64', 'multiply_tiles', 'Li128', opcodes.DMMA, 64],
  ] as const)(
    'sm_90a: %s multiplies on the matrix unit',
    (file, kernel, tile, opcode, products) => {
      const counts = [...kernelsOf(`native/cuda/gemm/${file}.cu`, '90a')]
        .filter(([name]) => name.includes(kernel) && name.includes(tile))
        .map(([, { instructions }]) => instructions.get(opcode) ?? 0)
      expect(Math.max(...counts)).toBe(products)
      // Of pairs, the high planes alone take a third.
      expect(Math.min(...counts)).toBe(file === 'pair_product' ? products / 3 : products)
    },
    120_000,
  )

  // Three products of 128 x 128 x k by 8 warps; the loop over k is rolled: 16 terms of 64 x 32, three times of parts.
  test('sm_90a: Newton-Schulz in blocks multiplies on the matrix unit', () => {
    const kernels = [...kernelsOf('native/cuda/orthogonalize/newton_schulz_in_blocks.cu', '90a')]
    const full = kernels.find(([name]) => name.includes('ILi128ELb1E'))?.[1]
    // Gram matrices are formed in two places: of rows that are scaled, and in every step.
    expect(full?.instructions.get(opcodes.HMMA)).toBeGreaterThanOrEqual(3 * 3 * 16)
    expect(full?.instructions.get(opcodes.LDSM)).toBeGreaterThan(0)
  }, 120_000)

  test.each([
    'gemm/pair_product',
    'gemm/tile_product_f32',
    'gemm/tile_product_f64',
    'gemm/warp_product',
    'orthogonalize/newton_schulz_in_blocks',
    'eigen/in_warps',
  ])(
    'sm_90a: no kernel of %s spills registers',
    (file) => {
      const spilling = [...kernelsOf(`native/cuda/${file}.cu`, '90a')].filter(
        ([, { spilledBytes }]) => spilledBytes > 0,
      )
      expect(spilling).toEqual([])
    },
    240_000,
  )
})
