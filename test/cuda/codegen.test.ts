// What nvcc makes of the device language; needs no GPU. Skipped aloud where there is no nvcc.
import { describe, expect, test } from 'vitest'
import { hasNvcc, instructionsOf, opcodes } from './cubin.js'

if (!hasNvcc) console.log('no nvcc on the PATH: machine code of the CUDA kernels is not checked')

describe.skipIf(!hasNvcc)('machine code', () => {
  test.each(['80', '90a'])('sm_%s: the functions of the device language are one instruction each', (architecture) => {
    const kernels = instructionsOf('test/cuda/matrix-unit.cu', architecture)
    const count = (kernel: string, opcode: number) =>
      [...kernels].find(([name]) => name.includes(kernel))?.[1].get(opcode) ?? 0
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
      const counts = [...instructionsOf(`native/cuda/gemm/${file}.cu`, '90a')]
        .filter(([name]) => name.includes(kernel) && name.includes(tile))
        .map(([, instructions]) => instructions.get(opcode) ?? 0)
      expect(Math.max(...counts)).toBe(products)
      // Of pairs, the high planes alone take a third.
      expect(Math.min(...counts)).toBe(file === 'pair_product' ? products / 3 : products)
    },
    120_000,
  )
})
