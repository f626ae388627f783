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
})
