// Checks of the operands of an op, before any work: class, device, dtype, shape, aliasing.
import { checkFields, KronrootError, shown } from '../errors.js'
import { Tensor } from '../tensor.js'
import type { Output } from './operation.js'

/** An operand with the name it has in messages. */
export interface Named {
  readonly name: string
  readonly tensor: Tensor
}

/** A live tensor `[..., m, n]`; else ERR_ARGUMENT, ERR_DISPOSED or ERR_SHAPE. */
export function checkedMatrix(op: string, name: string, value: unknown): Named {
  if (!Tensor.isTensor(value)) {
    throw new KronrootError('ERR_ARGUMENT', `${op}: ${name} must be a Tensor, got ${shown(value)}`)
  }
  if (value.disposed) throw new KronrootError('ERR_DISPOSED', `${op}: ${name} was disposed`)
  if (value.shape.length < 2) {
    throw new KronrootError('ERR_SHAPE', `${op}: ${name} must have a shape [..., m, n], got ${shown(value.shape)}`)
  }
  return { name, tensor: value }
}

/** A live tensor `[..., n]`; else ERR_ARGUMENT, ERR_DISPOSED or ERR_SHAPE. */
export function checkedVector(op: string, name: string, value: unknown): Named {
  if (Tensor.isTensor(value) && value.shape.length === 1) {
    if (value.disposed) throw new KronrootError('ERR_DISPOSED', `${op}: ${name} was disposed`)
    return { name, tensor: value }
  }
  return checkedMatrix(op, name, value)
}

export function rows({ tensor }: Named): number {
  return tensor.shape[tensor.shape.length - 2]!
}

export function cols({ tensor }: Named): number {
  return tensor.shape[tensor.shape.length - 1]!
}

export function checkSquare(op: string, operand: Named): void {
  if (rows(operand) !== cols(operand)) {
    throw new KronrootError('ERR_SHAPE', `${op}: ${operand.name} must be square, got ${shown(operand.tensor.shape)}`)
  }
}

/** One dimension against another: `what` says which they are. */
export function checkEqual(op: string, what: string, operand: Named, got: number, wanted: number): void {
  if (got === wanted) return
  throw new KronrootError(
    'ERR_SHAPE',
    `${op}: ${operand.name} has ${got} ${what}, ${wanted} are needed (its shape is ${shown(operand.tensor.shape)})`,
  )
}

/** All on one device and of one dtype; else ERR_ARGUMENT or ERR_DTYPE. */
export function checkAlike(op: string, first: Named, second: Named): void {
  if (second.tensor.device !== first.tensor.device) {
    throw new KronrootError('ERR_ARGUMENT', `${op}: ${second.name} is on another device than ${first.name}`)
  }
  if (second.tensor.dtype !== first.tensor.dtype) {
    throw new KronrootError(
      'ERR_DTYPE',
      `${op}: ${second.name} is ${second.tensor.dtype}, ${first.name} is ${first.tensor.dtype}`,
    )
  }
}

// The methods of frozen arrays, which shapes are, are slow: here loops take their place.
const alone: readonly number[] = []

function leading({ shape }: Tensor): readonly number[] {
  return shape.length === 2 ? alone : shape.slice(0, -2)
}

const product = (extents: readonly number[]): number => extents.reduce((total, extent) => total * extent, 1)

function same(one: readonly number[], other: readonly number[]): boolean {
  if (one === other) return true
  if (one.length !== other.length) return false
  for (let i = 0; i < one.length; i++) if (one[i] !== other[i]) return false
  return true
}

/**
 * The leading dimensions of the result: those of the operands, which must be equal, where an operand whose batch is one
 * matrix serves every matrix of the others.
 */
export function checkedBatch(op: string, operands: readonly Named[]): readonly number[] {
  let result = leading(operands[0]!.tensor)
  let from = operands[0]!
  for (const operand of operands.slice(1)) {
    const other = leading(operand.tensor)
    if (same(result, other)) continue
    const [mine, its] = [product(result), product(other)]
    if (mine !== 1 && its !== 1) {
      throw new KronrootError(
        'ERR_SHAPE',
        `${op}: the batch of ${operand.name} is ${shown(other)}, that of ${from.name} is ${shown(result)}; ` +
          'batches must be equal or one matrix',
      )
    }
    if (mine === 1 && (its !== 1 || other.length > result.length)) {
      result = other
      from = operand
    }
  }
  return result
}

/**
 * `out` (or the output of that `name`) of the shape and kind that the result has, and no input except those of `mayAlias`; else ERR_ARGUMENT,
 * ERR_DISPOSED, ERR_SHAPE, ERR_DTYPE or ERR_ALIAS.
 */
export function checkOut(
  op: string,
  out: unknown,
  shape: readonly number[],
  inputs: readonly Named[],
  mayAlias: readonly Named[] = [],
  name = 'out',
): void {
  const named = shape.length === 1 ? checkedVector(op, name, out) : checkedMatrix(op, name, out)
  checkAlike(op, inputs[0]!, named)
  if (!same(named.tensor.shape, shape)) {
    throw new KronrootError(
      'ERR_SHAPE',
      `${op}: ${name} has the shape ${shown(named.tensor.shape)}, the result ${shown(shape)}`,
    )
  }
  for (const input of inputs) {
    if (input.tensor === named.tensor && !mayAlias.includes(input)) {
      throw new KronrootError('ERR_ALIAS', `${op}: ${name} must not be ${input.name}`)
    }
  }
}

/**
 * The outputs of an op that has several, in the order of `shapes`: fresh ones, or those of `out`, which has a tensor for every
 * shape and none where the shape is null (not an output of this call). All are checked by {@link checkOut}, and no two are
 * one tensor. Else also ERR_OPTION.
 */
export function checkedOutputs(
  op: string,
  out: object | undefined,
  shapes: Readonly<Record<string, readonly number[] | null>>,
  input: Named,
): Output[] {
  const names = Object.keys(shapes)
  if (out === undefined) {
    return names.map((name) => (shapes[name] ? { shape: shapes[name], dtype: input.tensor.dtype } : null))
  }
  checkFields(`${op}: out`, out, names)
  const given = out as Readonly<Record<string, Tensor | undefined>>
  const before: Named[] = [input]
  return names.map((name) => {
    const tensor = given[name]
    const shape = shapes[name]
    const what = `out.${name}`
    if (shape) {
      checkOut(op, tensor, shape, before, [], what)
      before.push({ name: what, tensor: tensor! })
      return tensor!
    }
    if (tensor === undefined) return null
    throw new KronrootError('ERR_OPTION', `${op}: ${what} is not an output of this call`)
  })
}
