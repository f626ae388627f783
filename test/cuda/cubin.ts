// Machine code of one .cu file, read without a disassembler: what instructions a kernel has, and what it spills.
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'

const root = resolve(import.meta.dirname, '../..')

/** Whether nvcc is on the PATH. */
export const hasNvcc = spawnSync('nvcc', ['--version']).status === 0

/**
 * The lowest 12 bits of an instruction of sm_80 to sm_120 (16 bytes each) are its opcode: found by compiling kernels with
 * one instruction of the kind.
 */
export const opcodes = { HMMA: 0x23c, DMMA: 0x23f, LDSM: 0x83b, LDGSTS: 0xfae, FFMA: 0x223, DFMA: 0x22b } as const

export interface CompiledKernel {
  /** Opcode -> how often. */
  readonly instructions: ReadonlyMap<number, number>
  /** Bytes of registers that ptxas keeps in memory, stores and loads. */
  readonly spilledBytes: number
}

const compiled = new Map<string, ReadonlyMap<string, CompiledKernel>>()

/** The kernels in the file by mangled name. */
export function kernelsOf(file: string, architecture: string): ReadonlyMap<string, CompiledKernel> {
  const key = `${file} ${architecture}`
  const known = compiled.get(key) ?? compile(file, architecture)
  compiled.set(key, known)
  return known
}

function compile(file: string, architecture: string): ReadonlyMap<string, CompiledKernel> {
  const folder = mkdtempSync(join(tmpdir(), 'kronroot-cubin-'))
  try {
    const out = join(folder, 'kernels.cubin')
    const { status, stderr } = spawnSync(
      'nvcc',
      [
        '-std=c++20',
        '-O3',
        '--expt-relaxed-constexpr',
        '-Xptxas=-v',
        '-cubin',
        '-gencode',
        `arch=compute_${architecture},code=sm_${architecture}`,
        resolve(root, file),
        '-o',
        out,
      ],
      { encoding: 'utf8' },
    )
    if (status !== 0) throw new Error(stderr)
    const spills = spillsOf(stderr)
    return new Map(
      [...opcodesOf(readFileSync(out))].map(([name, instructions]) => [
        name,
        { instructions, spilledBytes: spills.get(name) ?? 0 },
      ]),
    )
  } finally {
    rmSync(folder, { recursive: true })
  }
}

/** From what ptxas says. */
function spillsOf(log: string): Map<string, number> {
  const spills = new Map<string, number>()
  const entries = /entry function '([^']+)'[\s\S]*?(\d+) bytes spill stores, (\d+) bytes spill loads/g
  for (const [, name, stores, loads] of log.matchAll(entries)) spills.set(name!, Number(stores) + Number(loads))
  return spills
}

/** Of a 64-bit ELF file: its sections .text.<kernel>. */
function opcodesOf(elf: Buffer): Map<string, Map<number, number>> {
  const sections = Number(elf.readBigUInt64LE(0x28))
  const [size, count, names] = [elf.readUInt16LE(0x3a), elf.readUInt16LE(0x3c), elf.readUInt16LE(0x3e)]
  const at = (section: number, field: number) => Number(elf.readBigUInt64LE(sections + section * size + field))
  const [offset, length] = [0x18, 0x20]
  const found = new Map<string, Map<number, number>>()
  for (let section = 0; section < count; section++) {
    const start = at(names, offset) + elf.readUInt32LE(sections + section * size)
    const name = elf.toString('latin1', start, elf.indexOf(0, start))
    if (!name.startsWith('.text.')) continue
    const counts = new Map<number, number>()
    const end = at(section, offset) + at(section, length)
    for (let i = at(section, offset); i + 16 <= end; i += 16) {
      const opcode = Number(elf.readBigUInt64LE(i) & 0xfffn)
      counts.set(opcode, (counts.get(opcode) ?? 0) + 1)
    }
    found.set(name.slice('.text.'.length), counts)
  }
  return found
}
