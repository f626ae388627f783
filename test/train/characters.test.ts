import { beforeAll, describe, expect, test } from 'vitest'
import {
  characterModel,
  characterPrediction,
  characterSizes,
  initialCharacterParameters,
  windowRows,
} from '../../lib/train/characters.js'
import type { Classifier, LabelledRows } from '../../lib/train/classifier.js'
import { code, mobyDick } from '../../lib/train/moby-dick.js'
import type { Parameter } from '../../lib/train/parameter.js'
import { Random } from '../../lib/train/random.js'
import { UsageError } from '../../lib/train/usage-error.js'
import { expectDifferences } from './differences.js'
import { affine, crossEntropy } from './plain-layers.js'

const sizes = { alphabet: 6, window: 3, embedding: 2, hidden: 5 }
const text = code('abacadabecabfacedabba')
const starts = Uint32Array.of(0, 5, 17, 9)

function plainLoss(parameters: readonly { value: ArrayLike<number> }[]): number {
  const [table, weight1, bias1, weight2, bias2, head, headBias] = parameters.map(({ value }) => value)
  let total = 0
  for (const start of starts) {
    const characters = [...text.codes.subarray(start, start + 3)]
    const embedded = characters.flatMap((character) => [table![2 * character]!, table![2 * character + 1]!])
    const units1 = affine(embedded, weight1!, bias1!).map(Math.tanh)
    const units2 = affine(units1, weight2!, bias2!).map(Math.tanh)
    total += crossEntropy(affine(units2, head!, headBias!), text.codes[start + 3]!)
  }
  return total / starts.length
}

describe('the character model', () => {
  let model: Classifier
  let parameters: Parameter[]
  let rows: LabelledRows

  beforeAll(async () => {
    model = await characterModel(sizes)
    parameters = initialCharacterParameters(2, sizes)
    const random = new Random(8)
    for (const { value, shape } of parameters) {
      if (shape.length === 1) value.set(value.map(() => random.uniform() - 0.5))
    }
    rows = windowRows(text, starts, sizes)
  })

  test('the loss is that of the plain fp64 loops', () => {
    const expected = plainLoss(parameters)
    expect(Math.abs(model.loss(parameters, rows) - expected) / expected).toBeLessThan(2e-5)
    expect(model.gradient(parameters, rows).loss).toBeCloseTo(model.loss(parameters, rows), 5)
  })

  test('every entry of the gradient is the central difference of the fp64 loss', () => {
    const { gradients } = model.gradient(parameters, rows)
    expectDifferences(parameters, gradients, plainLoss)
  })

  test('windows are one-hot rows, and the class is the character after them', () => {
    const { inputs, shape, classes } = windowRows(text, Uint32Array.of(4), sizes)
    expect(shape).toEqual([3, 6])
    // "adab": a is 0, d is 3, b is 1.
    expect([...inputs]).toEqual([1, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 1, 0, 0, 0, 0, 0])
    expect([...classes]).toEqual([1])
  })
})

describe('Moby Dick', () => {
  const book = mobyDick()

  test('its 1,190,317 characters are of 83 kinds and can be read back', () => {
    expect([book.codes.length, book.alphabet.length]).toEqual([1_190_317, 83])
    const beginning = [...book.codes.subarray(0, 44)].map((place) => book.alphabet[place]).join('')
    expect(beginning).toBe('CHAPTER 1. Loomings.\n\nCall me Ishmael. Some ')
  })

  test('untrained, the loss is near log 83', async () => {
    const full = characterSizes(book.alphabet.length)
    const problem = characterPrediction(await characterModel(full), book, full, 100)
    expect(problem.examples).toBe(1_190_301)
    const start = problem.initial(1)
    expect(start.map(({ shape }) => shape.join('x'))).toEqual('83x16 256x128 128 128x128 128 128x83 83'.split(' '))
    expect(Math.abs(problem.evaluate(start) - Math.log(83))).toBeLessThan(0.5)
    const { gradients } = problem.batch(Uint32Array.of(0, problem.examples - 1))(start)
    expect(gradients.map(({ length }) => length)).toEqual(start.map(({ value }) => value.length))
  })

  test('a missing file is named, too many characters are refused', () => {
    expect(() => mobyDick('/nowhere/text')).toThrow(/cannot read the text \/nowhere\/text: ENOENT/)
    const many = String.fromCodePoint(...Array.from({ length: 257 }, (_, i) => 0x4e00 + i))
    expect(() => code(many)).toThrow(UsageError)
  })
})
